"""Verifying further results against the record and the predictions beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmark.datasets.splits import hash_ids
from benchmark.errors import IntegrityError
from benchmark.protocol import Protocol
from benchmark.records.further import (
    DECIMALS,
    ROBUSTNESS,
    UNLABELLED,
    Agreement,
    AskedUnit,
    FurtherResults,
    Latency,
    Robustness,
    Spoiled,
    Unlabelled,
    VoteScore,
    lacking_units,
)
from benchmark.records.model import Record
from benchmark.records.verify import protocol_of, referenced_file, same
from benchmark.registry import registry
from benchmark.scoring.annotators import by_agreement, right_by_plurality
from benchmark.scoring.computing import compute_of_targets
from benchmark.scoring.group_jackknife import spread_of_targets
from benchmark.scoring.intervals import symmetric_interval, together
from benchmark.scoring.metrics import confusion_matrix
from benchmark.scoring.predicted_classes import PredictedClasses, read_predicted_classes
from benchmark.scoring.predictions import Predictions, read_predictions
from benchmark.scoring.scores import metric_functions
from benchmark.specs import MetricSpec
from benchmark.video.corruptions import CORRUPTIONS, SEVERITIES

# Two correctly rounded scores differ by at most this where the last bit fell to either side.
SLACK = 1.01 * 10**-DECIMALS

# The class of each test clip, and the votes' shares of each clip, by their ids.
Labels = Mapping[str, str]
Votes = Mapping[str, Sequence[float]]


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


def spoiled_scores(
    protocol: Protocol, severities: int, clean: Sequence[np.ndarray], spoiled: Sequence[np.ndarray]
) -> dict[str, Spoiled]:
    """The protocol's metrics, from each unit's confusion (K, K) on clean clips and those (M, K, K) on spoiled ones.

    M: every corruption with every one of the severities.
    """
    found = {}
    for name, compute in metric_functions(protocol, list(registry().metrics.values())).items():
        scores = np.asarray(compute(np.stack(spoiled))).mean(axis=0).reshape(len(CORRUPTIONS), severities)
        found[name] = Spoiled(
            clean=_rounded(float(np.mean(compute(np.stack(clean))))),
            by_corruption={
                corruption: tuple(map(_rounded, row)) for corruption, row in zip(CORRUPTIONS, scores, strict=True)
            },
        )
    return found


def vote_scores(
    metrics: Sequence[MetricSpec], targets: Sequence[np.ndarray], probabilities: Sequence[np.ndarray]
) -> dict[str, VoteScore]:
    """Metrics against votes (N, K), the mean over units, which were all asked about the same clips.

    So that these count once for the interval.
    """
    found = {}
    for metric in metrics:
        compute = compute_of_targets(metric)
        pairs = list(zip(targets, probabilities, strict=True))
        mean = float(np.mean([compute(*pair) for pair in pairs]))
        ends = symmetric_interval(mean, together([spread_of_targets(compute, *pair) for pair in pairs]))
        low, high = (_rounded(end) if math.isfinite(end) else None for end in ends)
        found[metric.name] = VoteScore(mean=_rounded(mean), low=low, high=high)
    return found


def agreements(targets: Sequence[np.ndarray], predicted: Sequence[np.ndarray]) -> list[Agreement]:
    """Right predictions by how many annotators agree, over votes' shares (N, K) and predicted classes (N,)."""
    shares = np.concatenate(targets)
    right = right_by_plurality(shares, np.concatenate(predicted))
    return [
        Agreement(agreement=round(level, 1), predictions=count, right=_rounded(share))
        for level, count, share in by_agreement(shares, right)
    ]


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
            on_clean.append(confusion_matrix(_true(own.ids, labels, protocol), own.predicted, len(protocol.classes)))
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


def confusions_of(taken: PredictedClasses, labels: Labels, protocol: Protocol) -> np.ndarray:
    """The confusion of each way, (M, K, K)."""
    true = _true(taken.ids, labels, protocol)
    return np.stack([confusion_matrix(true, column, len(protocol.classes)) for column in taken.predicted.T])


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
    for name, computed in vote_scores(metrics, targets, probabilities).items():
        for (key, stored), (_, score) in zip(result.metrics[name], computed, strict=True):
            if stored is None or score is None:
                same(stored, score, f"{where}: metrics.{name}.{key}")
            else:
                _close(stored, score, f"{where}: metrics.{name}.{key}")
    levels = agreements(judged, predicted)
    same(len(result.agreement), len(levels), f"{where}: agreement: number of levels")
    for stored_level, level in zip(result.agreement, levels, strict=True):
        here = f"{where}: agreement {level.agreement}"
        same(stored_level.agreement, level.agreement, here)
        same(stored_level.predictions, level.predictions, f"{here}: predictions")
        _close(stored_level.right, level.right, f"{here}: right")


def judged_by(votes: Votes, predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """Votes' shares (N, K) and predicted classes (N,) of those clips that have votes."""
    known = [number for number, name in enumerate(predictions.ids) if name in votes]
    shares = np.array([votes[predictions.ids[number]] for number in known])
    return shares.reshape(len(known), predictions.probabilities.shape[1]), predictions.predicted[known]


def _verify_latency(latency: Latency, record: Record, beside: Path) -> None:
    if latency.identity not in {unit.identity for unit in record.units}:
        raise IntegrityError(f"{beside / latency.file}: identity: is of no unit of the record")


def _check_units(units: Sequence[AskedUnit], record: Record, where: Path) -> None:
    problem = lacking_units(units, record)
    if problem:
        raise IntegrityError(f"{where}: {problem}")


def _true(ids: Sequence[str], labels: Labels, protocol: Protocol) -> np.ndarray:
    place = {name: number for number, name in enumerate(protocol.classes)}
    return np.array([place[labels[name]] for name in ids], dtype=np.int64)


def _close(stored: float, computed: float, where: str) -> None:
    if abs(stored - computed) > SLACK:
        raise IntegrityError(f"{where} is {stored}, recomputed {computed:.{DECIMALS}f}")


def _rounded(value: float) -> float:
    return round(float(value), DECIMALS) + 0.0
