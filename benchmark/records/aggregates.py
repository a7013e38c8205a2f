"""From the units' test scores to one number per metric: mean and spread over units, interval, pooled score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from benchmark.errors import IntegrityError
from benchmark.protocol import Protocol
from benchmark.scoring.intervals import RESAMPLES, percentile_interval, resample
from benchmark.scoring.metrics import group_confusion, per_class_recall
from benchmark.scoring.scores import Compute, FileModel, metric_functions, rounded
from benchmark.specs import MetricSpec

if TYPE_CHECKING:
    from benchmark.records.model import UnitRecord


class Summary(FileModel):
    """One metric over all units of a record.

    mean, std: over units, every (seed, fold) counting once; `std` is the sample one (n - 1), None for a single unit.
    low, high: 95 % interval of the mean, for the sampling of test clips.
    pooled: the metric on the sum of the units' confusions.
    """

    mean: float = Field(ge=0, le=1)
    std: float | None = Field(ge=0, le=1)
    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)
    pooled: float = Field(ge=0, le=1)


class Aggregates(FileModel):
    """What the leaderboard shows of a record.

    recall: per class the mean over the units in which the class has test clips, None if there are none.
    collapsed: classes that have test clips, none of which was recognised in any unit.
    """

    metrics: dict[str, Summary]
    recall: dict[str, float | None]
    groupings: dict[str, dict[str, Summary]]
    collapsed: list[str]


def aggregate(units: Sequence[UnitRecord], protocol: Protocol, metrics: Sequence[MetricSpec]) -> Aggregates:
    """Aggregate the test confusions of at least one unit.

    The interval bootstraps each fold on its own and averages the metric over folds, resample by resample. Seeds of one
    fold share its test clips, so they can't narrow that interval: their confusions are pooled, and as many clips are
    drawn from the pool as the fold has. All folds of a cross-dataset protocol share their clips in the same way.
    """
    if not units:
        raise IntegrityError("nothing to aggregate: no unit was finished")
    confusions = np.array([unit.scores.test.confusion for unit in units], dtype=np.int64)
    computes = metric_functions(protocol, metrics)
    folds = resampled_sets(clip_sets(units), confusions)
    pooled = confusions.sum(axis=0)
    recall = per_class_recall(confusions)
    groupings = {}
    for grouping in protocol.groupings:
        coarse = group_confusion(confusions, protocol.classes, grouping.groups)
        coarse_folds = [(weight, group_confusion(drawn, protocol.classes, grouping.groups)) for weight, drawn in folds]
        groupings[grouping.name] = _summaries(computes, coarse, coarse_folds)
    return Aggregates(
        metrics=_summaries(computes, confusions, folds),
        recall={name: _mean_defined(recall[:, k]) for k, name in enumerate(protocol.classes)},
        groupings=groupings,
        collapsed=[name for k, name in enumerate(protocol.classes) if pooled[k].sum() and not pooled[k, k]],
    )


def clip_sets(units: Sequence[UnitRecord]) -> list[int]:
    """For each unit the number of its set of test clips: one for each fold, but one for all folds with the same clips.

    IntegrityError for a fold of which two seeds were tested on different clips.
    """
    tested: dict[int, str] = {}
    for unit in units:
        if tested.setdefault(unit.fold, unit.splits.test.sha256) != unit.splits.test.sha256:
            raise IntegrityError(f"fold {unit.fold}: its units were tested on different clips")
    numbers: dict[str, int] = {}
    for fold in sorted(tested):
        numbers.setdefault(tested[fold], len(numbers))
    return [numbers[tested[unit.fold]] for unit in units]


def resampled_sets(
    sets: Sequence[int], confusions: np.ndarray, resamples: int = RESAMPLES, first_stream: int = 0
) -> list[tuple[float, np.ndarray]]:
    """For each set of test clips its share of the units and its bootstrap confusions (R, K, K).

    sets: of each unit, see `clip_sets`. confusions: theirs, (U, K, K). Draws from another `first_stream` are
    independent.
    """
    resampled = []
    seen: Counter[bytes] = Counter()
    for number in sorted(set(sets)):
        own = confusions[[one == number for one in sets]]
        clips = own.sum(axis=2)
        if (clips != clips[0]).any():
            raise IntegrityError("units with the same test clips have different numbers of them per class")
        pool = own.sum(axis=0)
        # Sets with equal confusions are still different clips: each gets draws of its own.
        stream = first_stream + seen[pool.tobytes()]
        seen[pool.tobytes()] += 1
        resampled.append((len(own) / len(sets), resample(pool, resamples, stream, clips[0])))
    return resampled


def _summaries(
    computes: Mapping[str, Compute], confusions: np.ndarray, folds: list[tuple[float, np.ndarray]]
) -> dict[str, Summary]:
    summaries = {}
    for name, compute in computes.items():
        values = compute(confusions)
        samples = sum(weight * compute(drawn) for weight, drawn in folds)
        low, high = percentile_interval(np.asarray(samples))
        summaries[name] = Summary(
            mean=rounded(values.mean()),
            std=rounded(values.std(ddof=1)) if len(values) > 1 else None,
            low=rounded(low),
            high=rounded(high),
            pooled=rounded(float(compute(confusions.sum(axis=0)))),
        )
    return summaries


def _mean_defined(values: np.ndarray) -> float | None:
    defined = values[~np.isnan(values)]
    return rounded(defined.mean()) if defined.size else None
