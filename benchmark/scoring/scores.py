"""Scores of one unit on one split: where predictions meet labels."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from benchmark.errors import IntegrityError, UsageError
from benchmark.protocol import Protocol
from benchmark.scoring.computing import compute_of
from benchmark.scoring.intervals import percentile_interval, resample, wilson_interval
from benchmark.scoring.metrics import confusion_matrix, group_confusion
from benchmark.scoring.predictions import Predictions
from benchmark.specs import MetricSpec

# Scores are kept to this many decimals, so that a recomputed score can be compared digit by digit on any machine:
# the last bits of a float depend on the order in which a CPU adds.
DECIMALS = 10

Compute = Callable[[np.ndarray], np.ndarray]


class FileModel(BaseModel):
    """A value at a file's border: frozen, no unknown keys, no silent conversions, no NaN or infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Estimate(FileModel):
    """A score in 0..1 and its 95 % interval."""

    value: float = Field(ge=0, le=1)
    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)


class SplitScores(FileModel):
    """Every score of one split; all of them follow from `confusion` (rows are true classes, in protocol order).

    recall: per class with Wilson's interval, or None for a class without true clips.
    groupings: the metrics again, on the confusion of each of the protocol's groupings.
    collapsed: classes that have true clips, none of which was recognised.
    """

    clips: int = Field(ge=1, le=10**9)
    confusion: tuple[tuple[int, ...], ...]
    metrics: dict[str, Estimate]
    recall: dict[str, Estimate | None]
    groupings: dict[str, dict[str, Estimate]]
    collapsed: list[str]

    @model_validator(mode="after")
    def _counts(self) -> SplitScores:
        size = len(self.confusion)
        if any(len(row) != size or min(row, default=0) < 0 for row in self.confusion):
            raise ValueError("confusion: must be a square of counts")
        if sum(map(sum, self.confusion)) != self.clips:
            raise ValueError(f"confusion: counts {sum(map(sum, self.confusion))} clips, clips says {self.clips}")
        return self


def score_split(
    predictions: Predictions, labels: Mapping[str, str], protocol: Protocol, metrics: Sequence[MetricSpec]
) -> SplitScores:
    """Score predictions against `labels` (class name by clip id), which must name exactly the same clips.

    A clip counts for its most probable class; of equally probable ones, for the first in the protocol's class order.
    Raises IntegrityError when a labelled clip has no prediction, a prediction has no label, or a label is not one of
    the protocol's classes.
    """
    predicted_ids, labelled_ids = set(predictions.ids), set(labels)
    _none_left(labelled_ids - predicted_ids, "labelled clips have no prediction")
    _none_left(predicted_ids - labelled_ids, "predicted clips have no label")
    index = {name: position for position, name in enumerate(protocol.classes)}
    unknown = {label for label in labels.values() if label not in index}
    _none_left(unknown, f"labels are not among the classes of {protocol.name}")
    true = [index[labels[clip_id]] for clip_id in predictions.ids]
    return score_confusion(confusion_matrix(true, predictions.predicted, len(index)), protocol, metrics)


def score_confusion(confusion: np.ndarray, protocol: Protocol, metrics: Sequence[MetricSpec]) -> SplitScores:
    """All scores that follow from confusion counts (K, K); needs at least one clip."""
    if confusion.sum() < 1:
        raise IntegrityError(f"nothing to score: no clips in this split of {protocol.name}")
    computes = metric_functions(protocol, metrics)
    resampled = resample(confusion)
    groupings = {}
    for grouping in protocol.groupings:
        coarse = group_confusion(confusion, protocol.classes, grouping.groups)
        coarse_resampled = group_confusion(resampled, protocol.classes, grouping.groups)
        groupings[grouping.name] = {
            name: _estimate(compute, coarse, coarse_resampled) for name, compute in computes.items()
        }
    counts = [[int(cell) for cell in row] for row in confusion]
    correct = {name: (counts[k][k], sum(counts[k])) for k, name in enumerate(protocol.classes)}
    return SplitScores(
        clips=int(confusion.sum()),
        confusion=tuple(tuple(row) for row in counts),
        metrics={name: _estimate(compute, confusion, resampled) for name, compute in computes.items()},
        recall={name: _recall(*count) for name, count in correct.items()},
        groupings=groupings,
        collapsed=[name for name, (right, total) in correct.items() if total and not right],
    )


def metric_functions(protocol: Protocol, metrics: Sequence[MetricSpec]) -> dict[str, Compute]:
    """The protocol's metrics by name, in its order; UsageError for one that nobody provides."""
    known = {metric.name: metric for metric in metrics}
    missing = [name for name in protocol.metrics if name not in known]
    if missing:
        raise UsageError(
            f"protocol {protocol.name}: no installed plugin provides the metric {', '.join(missing)}; "
            f"`benchmark list metrics` names those there are"
        )
    return {name: compute_of(known[name]) for name in protocol.metrics}


def rounded(value: float) -> float:
    """A score as it is stored."""
    return round(float(value), DECIMALS)


def _estimate(compute: Compute, confusion: np.ndarray, resampled: np.ndarray) -> Estimate:
    low, high = percentile_interval(compute(resampled))
    return Estimate(value=rounded(float(compute(confusion))), low=rounded(low), high=rounded(high))


def _recall(correct: int, total: int) -> Estimate | None:
    if total == 0:
        return None
    low, high = wilson_interval(correct, total)
    return Estimate(value=rounded(correct / total), low=rounded(low), high=rounded(high))


def _none_left(names: Collection[str], what: str) -> None:
    if names:
        first = ", ".join(repr(name) for name in sorted(names)[:5])
        more = ", ..." if len(names) > 5 else ""
        raise IntegrityError(f"{len(names)} {what}: {first}{more}")
