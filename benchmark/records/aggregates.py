"""From the units' test scores to one number per metric: mean and spread over units, interval, pooled score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from benchmark.errors import IntegrityError
from benchmark.plugin_functions import ScoreConfusion
from benchmark.protocol import Protocol
from benchmark.records.model import Aggregates, Summary
from benchmark.scoring.clipsets import ClipSet, spread_of_mean
from benchmark.scoring.intervals import interval
from benchmark.scoring.metrics import per_class_recall
from benchmark.scoring.scores import SplitScores, in_groups, metric_functions, rounded
from benchmark.specs import MetricSpec

if TYPE_CHECKING:
    from benchmark.records.model import UnitRecord


def aggregate(units: Sequence[UnitRecord], protocol: Protocol, metrics: Sequence[MetricSpec]) -> Aggregates:
    """Aggregate the test confusions of at least one unit.

    The folds' test clips are independent of each other. Seeds of one fold share its test clips, so they can't narrow
    what the interval allows for the choice of these; see `spread_of_mean`. All folds of a cross-dataset protocol share
    their clips in the same way.
    """
    if not units:
        raise IntegrityError("nothing to aggregate: no unit was finished")
    confusions = np.array([unit.scores.test.confusion for unit in units], dtype=np.int64)
    computes = metric_functions(protocol, metrics)
    tested = clip_sets(units)
    pooled = confusions.sum(axis=0)
    recall = per_class_recall(confusions)

    def summaries(groups: Mapping[str, Sequence[str]] | None = None) -> dict[str, Summary]:
        views = {
            name: compute if groups is None else in_groups(compute, protocol.classes, groups)
            for name, compute in computes.items()
        }
        return {name: _summary(view, confusions, tested) for name, view in views.items()}

    return Aggregates(
        metrics=summaries(),
        recall={name: _mean_defined(recall[:, k]) for k, name in enumerate(protocol.answer_names)},
        groupings={grouping.name: summaries(grouping.groups) for grouping in protocol.groupings},
        collapsed=[name for k, name in enumerate(protocol.answer_names) if pooled[k].sum() and not pooled[k, k]],
    )


def clip_sets(units: Sequence[UnitRecord], split: Literal["val", "test"] = "test") -> list[ClipSet]:
    """The units by the clips of a split that they share: one set for each fold, but one for all folds with the same.

    IntegrityError for units that contradict each other on the clips of a set.
    """
    tested: dict[int, str] = {}
    for unit in units:
        sha256 = getattr(unit.splits, split).sha256
        if tested.setdefault(unit.fold, sha256) != sha256:
            raise IntegrityError(f"fold {unit.fold}: its units were tested on different clips")
    sets = []
    for sha256 in dict.fromkeys(tested[fold] for fold in sorted(tested)):
        own = [unit for unit in units if getattr(unit.splits, split).sha256 == sha256]
        sets.append(_clip_set(own, split))
    return sets


def class_clips(units: Sequence[UnitRecord]) -> list[int]:
    """The number of different test clips of each class.

    Every seed tests the same ones again, and so does every fold of a cross-dataset protocol.
    """
    tested = {unit.splits.test.sha256: unit.scores.test.confusion for unit in units}
    counts = np.array(list(tested.values()), dtype=np.int64).sum(axis=(0, 2))
    return [int(count) for count in counts]


def _clip_set(units: Sequence[UnitRecord], split: str) -> ClipSet:
    scores: list[SplitScores] = [getattr(unit.scores, split) for unit in units]
    where = f"fold {units[0].fold}: units with the same test clips"
    if len({None if one.clusters is None else len(one.clusters) for one in scores}) > 1:
        raise IntegrityError(f"{where} have different clusters of them")
    confusions = np.array([one.confusion for one in scores], dtype=np.int64)
    clusters = None if scores[0].clusters is None else np.stack([one.cluster_counts() for one in scores])
    try:
        return ClipSet(confusions, tuple(unit.fold for unit in units), clusters)
    except ValueError as error:
        raise IntegrityError(f"{where}: {error}") from error


def _summary(compute: ScoreConfusion, confusions: np.ndarray, tested: Sequence[ClipSet]) -> Summary:
    values = np.asarray(compute(confusions))
    low, high = interval(float(values.mean()), spread_of_mean(compute, tested))
    return Summary(
        mean=rounded(values.mean()),
        std=rounded(values.std(ddof=1)) if len(values) > 1 else None,
        low=rounded(low),
        high=rounded(high),
        pooled=rounded(float(compute(confusions.sum(axis=0)))),
    )


def _mean_defined(values: np.ndarray) -> float | None:
    defined = values[~np.isnan(values)]
    return rounded(defined.mean()) if defined.size else None
