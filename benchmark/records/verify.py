"""Checking a record against the predictions beside it: every score, every hash, every mark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from benchmark.datasets.splits import hash_ids
from benchmark.errors import IntegrityError
from benchmark.files import hash_file, hash_value
from benchmark.protocol import Protocol
from benchmark.records.aggregates import aggregate
from benchmark.records.assemble import incomplete_reasons, is_eligible, unofficial_reasons
from benchmark.records.file import RECORD
from benchmark.records.model import SCORED_SPLITS, FileReference, ProtocolUse, Record, UnitRecord
from benchmark.records.seen import TestIds, seen_reasons
from benchmark.scoring.builtin import METRICS
from benchmark.scoring.predictions import Predictions, read_predictions
from benchmark.scoring.scores import (
    DECIMALS,
    SplitScores,
    Thresholds,
    answered,
    check_clusters,
    choose_thresholds,
    score_confusion,
    score_split,
)
from benchmark.specs import MetricSpec
from benchmark.validation import problem_of


def verify_record(
    record: Record,
    folder: Path,
    labels: Mapping[str, Mapping[str, str]] | None = None,
    metrics: Sequence[MetricSpec] = METRICS,
) -> list[str]:
    """Recompute everything in `record` from the predictions files below `folder`.

    With `labels` (class name by clip id, of all clips of val and of test; under `clusters` what each belongs to, where
    the protocol names it) every score is recomputed from predictions and labels. Without them the stored confusions are
    taken for the join, and all that follows from them or must agree with the predictions is checked: clip counts, ids,
    how often each class was predicted (in each cluster), every metric, interval and aggregate. Returns the digest of
    each unit's test predictions. Raises IntegrityError with one line: the file, and what differs.
    """
    where = folder / RECORD
    protocol = protocol_of(record, where)
    for (seed, fold), times in Counter((unit.seed, unit.fold) for unit in record.units).items():
        if times > 1 or fold not in protocol.folds:
            problem = "is there twice" if times > 1 else f"is not a fold of {protocol.name}"
            raise IntegrityError(f"{where}: seed {seed}, fold {fold} {problem}")
    digests: list[str] = []
    tested: dict[int, list[str]] = {}
    for unit in record.units:
        test = _verify_unit(unit, protocol, folder, labels or {}, metrics)
        digests.append(test.digest)
        tested.setdefault(unit.fold, []).extend(test.ids)
    computed = aggregate(record.units, protocol, metrics) if record.units else None
    same(
        record.aggregates and record.aggregates.model_dump(),
        computed and computed.model_dump(),
        f"{where}: aggregates",
    )
    _verify_marks(record, protocol, tested, where)
    return digests


def protocol_of(record: Record, where: Path | str = "record") -> Protocol:
    """The protocol that a record was made under; IntegrityError if its definition is not what its hash names."""
    return stated_protocol(record.protocol, where)


def stated_protocol(stated: ProtocolUse, where: Path | str) -> Protocol:
    """The protocol that something was made under; raises as `protocol_of`."""
    try:
        protocol = Protocol.model_validate(stated.definition)
    except ValidationError as error:
        raise IntegrityError(problem_of(error, str(where), "protocol", "definition")) from error
    if hash_value(stated.definition) != stated.hash or protocol.hash != stated.hash:
        raise IntegrityError(
            f"{where}: protocol.definition hashes to {hash_value(stated.definition)}, protocol.hash is {stated.hash}"
        )
    same([stated.name, stated.version], [protocol.name, protocol.version], f"{where}: protocol name, version")
    return protocol


def _verify_unit(
    unit: UnitRecord,
    protocol: Protocol,
    folder: Path,
    labels: Mapping[str, Mapping[str, str]],
    metrics: Sequence[MetricSpec],
) -> Predictions:
    """Verify one unit; returns its test predictions."""
    here = f"{folder / RECORD}: seed {unit.seed}, fold {unit.fold}"
    seen: dict[str, str] = {}
    thresholds: Thresholds | None = None
    for split in SCORED_SPLITS:
        expected = split in protocol.predicted_splits
        for what, found in (("predictions", unit.predictions), ("splits", unit.splits), ("scores", unit.scores)):
            same(found[split] is not None, expected, f"{here}: {what} has {split}, which")
        if not expected:
            continue
        use, stored = unit.splits.of(split), unit.scores.of(split)
        path = referenced_file(folder, unit.predictions.of(split))
        predictions = read_predictions(path, protocol.classes)
        same(use.clips, len(predictions.ids), f"{here}: splits.{split}.clips")
        same(use.sha256, hash_ids(predictions.ids), f"{here}: splits.{split}.sha256")
        shared = [clip_id for clip_id in predictions.ids if seen.setdefault(clip_id, split) != split]
        if shared and protocol.test_on is None:  # ids of two datasets may be the same
            raise IntegrityError(f"{here}: clip {shared[0]!r} is in val and in test")
        try:
            if split == "val":
                thresholds = _thresholds(stored, predictions, protocol, labels.get("val"))
            computed = rescored(
                stored, predictions, protocol, labels.get(split), labels.get("clusters"), metrics, thresholds
            )
        except IntegrityError as error:
            raise IntegrityError(f"{here}: scores.{split}: {error}") from error
        same(stored.model_dump(), computed.model_dump(), f"{here}: scores.{split}")
    return predictions


def _thresholds(
    stored: SplitScores, predictions: Predictions, protocol: Protocol, labels: Mapping[str, str] | None
) -> Thresholds | None:
    """Those that fit val best, where its labels are at hand; else the stored ones."""
    if labels is None:
        return stored.thresholds
    own = {clip_id: labels[clip_id] for clip_id in predictions.ids if clip_id in labels}
    return choose_thresholds(predictions, own, protocol)


def referenced_file(folder: Path, reference: FileReference) -> Path:
    """The file that the record in `folder` refers to; IntegrityError unless it has the stated hash."""
    path = folder / reference.path
    if not path.resolve().is_relative_to(folder.resolve()):
        raise IntegrityError(f"{path}: leads out of the record's folder")
    if not path.is_file():
        raise IntegrityError(f"{path}: the predictions file is missing")
    actual = hash_file(path)
    if actual != reference.sha256:
        raise IntegrityError(f"{path}: its SHA-256 is {actual}, the record says {reference.sha256}")
    return path


def rescored(
    stored: SplitScores,
    predictions: Predictions,
    protocol: Protocol,
    labels: Mapping[str, str] | None,
    clusters: Mapping[str, str] | None,
    metrics: Sequence[MetricSpec],
    thresholds: Thresholds | None = None,
) -> SplitScores:
    """The scores of predictions: from labels (answer by clip id) where there are any, else from the stored confusion.

    clusters: what each clip belongs to, where that is known. thresholds: those of the fold's val. Raises IntegrityError
    where what is stored cannot be true.
    """
    check_clusters(predictions, protocol)
    if clusters is not None and predictions.clusters is not None:
        for clip_id, cluster in zip(predictions.ids, predictions.clusters, strict=True):
            same(cluster, clusters.get(clip_id), f"the {protocol.clustered_by} of clip {clip_id!r}")
    if labels is not None:
        own = {clip_id: labels[clip_id] for clip_id in predictions.ids if clip_id in labels}
        return score_split(predictions, own, protocol, metrics, thresholds)
    size = len(protocol.answer_names)
    same(len(stored.confusion), size, "confusion: number of classes")
    confusion = np.array(stored.confusion, dtype=np.int64)
    predictions = answered(predictions, protocol, thresholds)
    counted = np.bincount(predictions.predicted, minlength=size)
    for k, name in enumerate(protocol.answer_names):
        same(int(confusion[:, k].sum()), int(counted[k]), f"confusion: number of clips predicted as {name}")
    return score_confusion(confusion, protocol, metrics, _clusters(stored, predictions), thresholds)


def _clusters(stored: SplitScores, predictions: Predictions) -> np.ndarray | None:
    """The stored confusions of the clusters; IntegrityError unless each was predicted so often as each class."""
    numbers = predictions.cluster_numbers
    same(stored.clusters is not None, numbers is not None, "clusters: are there, which")
    if numbers is None or predictions.clusters is None:
        return None
    names = sorted(set(predictions.clusters))
    counts = stored.cluster_counts()
    same(len(counts), len(names), "clusters: their number")
    size = counts.shape[-1]
    counted = np.bincount(numbers * size + predictions.predicted, minlength=len(names) * size).reshape(-1, size)
    for name, own, expected in zip(names, counts.sum(axis=1), counted, strict=True):
        same(own.tolist(), expected.tolist(), f"clusters: how often each class was predicted in {name!r}")
    return counts


def _verify_marks(record: Record, protocol: Protocol, tested: TestIds, where: Path) -> None:
    """What the record says of itself must follow from the rest of it."""
    same(record.data.dataset, protocol.dataset, f"{where}: data.dataset")
    same(record.data.frame_source, protocol.frames.source, f"{where}: data.frame_source")
    same(record.marks.synthetic, record.data.synthetic, f"{where}: marks.synthetic")
    for name, computed in (
        ("unofficial", unofficial_reasons(record.overrides, record.method.views, record.data.crops, protocol)),
        ("incomplete", incomplete_reasons(record.units, record.failed, protocol)),
    ):
        hidden = [reason for reason in computed if reason not in getattr(record.marks, name)]
        if hidden:
            raise IntegrityError(f"{where}: marks.{name} leaves out: {hidden[0]}")
    if record.initial is not None:
        files = {name: weights.sha256 for name, weights in record.initial.items()}
        same(files, record.init or {}, f"{where}: initial: the files")
    same(record.marks.seen, seen_reasons(record.init, record.initial, protocol, tested), f"{where}: marks.seen")
    same(record.eligible, is_eligible(record.marks, protocol), f"{where}: eligible")


def same(stored: Any, computed: Any, where: str) -> None:
    """Compare key by key, scores by the decimals that are stored; IntegrityError at the first difference."""
    if isinstance(stored, dict) and isinstance(computed, dict):
        if sorted(stored) != sorted(computed):
            raise IntegrityError(f"{where} has {list(stored)}, expected {list(computed)}")
        for key, value in stored.items():
            same(value, computed[key], f"{where}.{key}")
    elif isinstance(stored, (list, tuple)) and isinstance(computed, (list, tuple)) and len(stored) == len(computed):
        for index, (one, other) in enumerate(zip(stored, computed, strict=True)):
            same(one, other, f"{where}[{index}]")
    elif isinstance(stored, float) and isinstance(computed, float):
        # An interval's ends carry the last bits of many sums, so that one may be rounded up here and down there.
        slack = 1.5 if where.endswith((".low", ".high")) else 0.5
        if not abs(stored - computed) < slack * 10**-DECIMALS:
            raise IntegrityError(f"{where} is {stored}, recomputed {computed}")
    elif stored != computed:
        raise IntegrityError(f"{where} is {stored!r}, expected {computed!r}")
