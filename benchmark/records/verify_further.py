"""Verifying further results against the record and the predictions beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmark.datasets.splits import hash_ids
from benchmark.errors import IntegrityError
from benchmark.protocol import Protocol
from benchmark.records.further import (
    CONFIDENCE,
    DECIMALS,
    ROBUSTNESS,
    UNLABELLED,
    AskedUnit,
    Confidence,
    FurtherResults,
    Latency,
    MeanScore,
    Robustness,
    Unlabelled,
    lacking_units,
)
from benchmark.records.further_scores import (
    COVERAGES,
    SELECTIVE,
    Labels,
    Votes,
    agreements,
    confidence_of,
    confusions_of,
    judged_by,
    spoiled_scores,
    true_classes,
    vote_scores,
)
from benchmark.records.model import Record
from benchmark.records.verify import protocol_of, referenced_file, same
from benchmark.registry import registry
from benchmark.scoring.metrics import confusion_matrix
from benchmark.scoring.predicted_classes import read_predicted_classes
from benchmark.scoring.predictions import Predictions, read_predictions
from benchmark.video.corruptions import CORRUPTIONS, SEVERITIES

# Two correctly rounded scores differ by at most this where the last bit fell to either side.
SLACK = 1.01 * 10**-DECIMALS


def verify_further(
    results: FurtherResults,
    record: Record,
    folder: Path,
    beside: Path,
    labels: Labels | None = None,
    votes: Votes | None = None,
) -> None:
    """Recompute what can be recomputed; IntegrityError, in one line, at the first difference.

    folder: where the record and its predictions lie. beside: where the results and theirs lie. labels, votes: of the
    test clips, and of all that have votes; without them files, ids and arithmetic are checked, and that no accuracy is
    further from the clean one than predictions changed. Times are their publisher's word.
    """
    protocol = protocol_of(record)
    clean = {
        (unit.seed, unit.fold): read_predictions(folder / unit.predictions.test.path, protocol.classes)
        for unit in record.units
    }
    if results.robustness:
        _verify_robustness(results.robustness, record, protocol, beside, clean, labels)
    if results.unlabelled:
        _verify_unlabelled(results.unlabelled, record, protocol, beside, clean, votes)
    for latency in results.latencies:
        _verify_latency(latency, record, beside)
    if results.confidence:
        _verify_confidence(results.confidence, record, protocol, beside, clean, labels)


def _verify_robustness(
    result: Robustness,
    record: Record,
    protocol: Protocol,
    beside: Path,
    clean: Mapping[tuple[int, int], Predictions],
    labels: Labels | None,
) -> None:
    where = beside / ROBUSTNESS
    _check_units(result.units, record, where)
    if list(result.severities) != sorted(set(result.severities) & set(SEVERITIES)):
        raise IntegrityError(f"{where}: severities must be some of {SEVERITIES}, each once, ascending")
    same(list(result.metrics), list(protocol.metrics), f"{where}: metrics")
    assert record.aggregates is not None
    for name, spoiled in result.metrics.items():
        _close(spoiled.clean, record.aggregates.metrics[name].mean, f"{where}: metrics.{name}.clean")
    changed, on_clean, on_spoiled = [], [], []
    for unit in result.units:
        taken = read_predicted_classes(referenced_file(beside, unit.predictions), protocol.classes, result.ways)
        own = clean[unit.seed, unit.fold]
        if taken.ids != own.ids:
            raise IntegrityError(f"{beside / unit.predictions.path}: is not of the unit's test clips")
        changed.append((taken.predicted != own.predicted[:, None]).mean(axis=0))
        if labels is not None:
            confusions = confusions_of(taken, labels, protocol)
            on_clean.append(
                confusion_matrix(true_classes(own.ids, labels, protocol), own.predicted, len(protocol.classes))
            )
            on_spoiled.append(confusions)
    if "war" in result.metrics:
        war = result.metrics["war"]
        most = np.mean(changed, axis=0).reshape(len(CORRUPTIONS), len(result.severities))
        for corruption, allowed in zip(CORRUPTIONS, most, strict=True):
            moved = np.abs(np.array(war.by_corruption[corruption]) - war.clean)
            if (moved > allowed + 2 * SLACK).any():
                raise IntegrityError(f"{where}: metrics.war: {corruption} differs by more than predictions changed")
    if labels is not None:
        computed = spoiled_scores(protocol, len(result.severities), on_clean, on_spoiled)
        for name, spoiled in result.metrics.items():
            for corruption, scores in spoiled.by_corruption.items():
                for stored, score in zip(scores, computed[name].by_corruption[corruption], strict=True):
                    _close(stored, score, f"{where}: metrics.{name}.{corruption}")


def _verify_unlabelled(
    result: Unlabelled,
    record: Record,
    protocol: Protocol,
    beside: Path,
    clean: Mapping[tuple[int, int], Predictions],
    votes: Votes | None,
) -> None:
    where = beside / UNLABELLED
    _check_units(result.units, record, where)
    predictions = []
    for unit in result.units:
        path = referenced_file(beside, unit.predictions)
        made = read_predictions(path, protocol.classes)
        same(result.clips.clips, len(made.ids), f"{path}: number of clips")
        same(result.clips.sha256, hash_ids(made.ids), f"{path}: sha256 of the ids")
        if not set(made.ids).isdisjoint(clean[unit.seed, unit.fold].ids):
            raise IntegrityError(f"{path}: holds a test clip, which has a label")
        predictions.append(made)
    for name, score in result.metrics.items():
        known = registry().metrics.get(name)
        if known is None or known.input != "distributions":
            raise IntegrityError(f"{where}: metrics.{name}: is no metric against votes that is known here")
        low, high = (score.mean if end is None else end for end in (score.low, score.high))
        if (score.low is None) != (score.high is None) or not low <= score.mean <= high:
            raise IntegrityError(f"{where}: metrics.{name}: is outside of its interval")
    if votes is None or not all(set(made.ids) <= set(votes) for made in predictions):
        return
    targets, probabilities, judged, predicted = [], [], [], []
    for unit, made in zip(result.units, predictions, strict=True):
        targets.append(np.array([votes[name] for name in made.ids]))
        probabilities.append(made.probabilities)
        shares, own = judged_by(votes, clean[unit.seed, unit.fold])
        judged += [targets[-1], shares]
        predicted += [made.predicted, own]
    metrics = [registry().find("metrics", name) for name in result.metrics]
    _same_scores(result.metrics, vote_scores(metrics, targets, probabilities), where)
    levels = agreements(judged, predicted)
    same(len(result.agreement), len(levels), f"{where}: agreement: number of levels")
    for stored_level, level in zip(result.agreement, levels, strict=True):
        here = f"{where}: agreement {level.agreement}"
        same(stored_level.agreement, level.agreement, here)
        same(stored_level.predictions, level.predictions, f"{here}: predictions")
        _close(stored_level.right, level.right, f"{here}: right")


def _verify_latency(latency: Latency, record: Record, beside: Path) -> None:
    if latency.identity not in {unit.identity for unit in record.units}:
        raise IntegrityError(f"{beside / latency.file}: identity: is of no unit of the record")


def _verify_confidence(
    result: Confidence,
    record: Record,
    protocol: Protocol,
    beside: Path,
    clean: Mapping[tuple[int, int], Predictions],
    labels: Labels | None,
) -> None:
    where = beside / CONFIDENCE
    same(sorted(result.metrics), sorted(SELECTIVE), f"{where}: metrics")
    same(len(result.curve), len(COVERAGES), f"{where}: points of the curve")
    wrong = np.mean([1 - np.trace(c) / c.sum() for c in (np.array(u.scores.test.confusion) for u in record.units)])
    _close(result.curve[-1], float(wrong), f"{where}: curve: share of wrong predictions among all")
    if labels is not None:
        computed = confidence_of(record.units, protocol, list(clean.values()), labels)
        _same_scores(result.metrics, computed.metrics, where)
        for coverage, stored, value in zip(COVERAGES, result.curve, computed.curve, strict=True):
            _close(stored, value, f"{where}: curve at {coverage:.0%}")


def _same_scores(stored: Mapping[str, MeanScore], computed: Mapping[str, MeanScore], where: Path) -> None:
    for name, score in computed.items():
        for (key, one), (_, other) in zip(stored[name], score, strict=True):
            if one is None or other is None:
                same(one, other, f"{where}: metrics.{name}.{key}")
            else:
                _close(one, other, f"{where}: metrics.{name}.{key}")


def _check_units(units: Sequence[AskedUnit], record: Record, where: Path) -> None:
    problem = lacking_units(units, record)
    if problem:
        raise IntegrityError(f"{where}: {problem}")


def _close(stored: float, computed: float, where: str) -> None:
    if abs(stored - computed) > SLACK:
        raise IntegrityError(f"{where} is {stored}, recomputed {computed:.{DECIMALS}f}")
