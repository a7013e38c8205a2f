"""Whether two runs differ: paired differences with intervals and p values, McNemar's test, Holm's correction.

Most clips are easy or hard for both runs, so that a difference is known far better than the two scores are. Two runs
are paired over clips (or clusters of them), whatever seeds they were trained with: each is left out of both runs at
once, and the spread is that of the difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.plugin_functions import ScoreConfusion
from benchmark.scoring.clipsets import ClipSet, spread_over_seeds, without_a_clip, without_each_cluster
from benchmark.scoring.intervals import Spread, combined, jackknife, t_quantile
from benchmark.scoring.scores import rounded


@dataclass(frozen=True)
class Difference:
    """A metric of the first run minus that of the second, in -1..1, with its 95 % interval and two-sided p."""

    value: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, eq=False)
class Answers:
    """What a run's units answered on one set of test clips.

    true: class indices (N,). predicted: class indices (U, N). clusters: the cluster's number (N,) of each clip, None
    where clips are independent. folds: see `ClipSet`.
    """

    true: np.ndarray
    predicted: np.ndarray
    folds: tuple[int, ...]
    clusters: np.ndarray | None = None

    def tested(self, num_classes: int) -> ClipSet:
        """The same as confusions."""
        groups = np.zeros(len(self.true), dtype=np.int64) if self.clusters is None else self.clusters
        size, count = num_classes, int(groups.max(initial=0)) + 1
        if self.true.size and not min(self.true.min(), self.predicted.min()) >= 0:
            raise ValueError(f"class indices must lie in 0..{size - 1}")
        if self.true.size and max(self.true.max(), self.predicted.max()) >= size:
            raise ValueError(f"class indices must lie in 0..{size - 1}")
        cells = (groups * size + self.true) * size + self.predicted
        counts = np.stack([np.bincount(row, minlength=count * size**2) for row in cells])
        by_cluster = counts.reshape(-1, count, size, size)
        return ClipSet(by_cluster.sum(axis=1), self.folds, None if self.clusters is None else by_cluster)


@dataclass(frozen=True, eq=False)
class Moved:
    """One metric of a run: its mean `value` over units, and by set of test clips what leaving out a resampling unit
    does.

    values: mean score of each set's units. left_out: for each set the mean scores (G,) without each resampling unit.
    strata: for each set the class (G,) of each clip, None for clusters. weights: each set's share. seeds: the spread
    over seeds, None where a fold has a single one.
    """

    values: tuple[float, ...]
    left_out: tuple[np.ndarray, ...]
    strata: tuple[np.ndarray | None, ...]
    weights: tuple[float, ...]
    seeds: Spread | None

    @property
    def value(self) -> float:
        """The mean over units."""
        return math.fsum(weight * value for weight, value in zip(self.weights, self.values, strict=True))


def moved_by_clips(answers: Sequence[Answers], compute: ScoreConfusion, num_classes: int) -> Moved:
    """How a metric moves without each clip, or each cluster, of each set of test clips."""
    tested = [one.tested(num_classes) for one in answers]
    left_out = []
    for one, own in zip(answers, tested, strict=True):
        if own.clusters is not None:
            left_out.append(without_each_cluster(compute, own))
            continue
        tables = [without_a_clip(compute, confusion) for confusion in own.confusions]
        pairs = zip(tables, one.predicted, strict=True)
        left_out.append(np.mean([table[one.true, guesses] for table, guesses in pairs], axis=0))
    return _moved(tested, compute, left_out, [one.true if one.clusters is None else None for one in answers])


def moved_by_clusters(tested: Sequence[ClipSet], compute: ScoreConfusion) -> Moved:
    """How a metric moves without each cluster, from confusions alone; every set must have clusters."""
    return _moved(tested, compute, [without_each_cluster(compute, one) for one in tested], [None] * len(tested))


def _moved(
    tested: Sequence[ClipSet],
    compute: ScoreConfusion,
    left_out: Sequence[np.ndarray],
    strata: Sequence[np.ndarray | None],
) -> Moved:
    total = len({fold for one in tested for fold in one.folds})
    return Moved(
        values=tuple(float(np.mean(compute(one.confusions))) for one in tested),
        left_out=tuple(left_out),
        strata=tuple(strata),
        weights=tuple(len(set(one.folds)) / total for one in tested),
        seeds=spread_over_seeds(compute, tested),
    )


def paired_spread(first: Moved, second: Moved) -> Spread:
    """The spread of the difference of two runs over the same sets of test clips.

    It covers the choice of clips (or clusters), and that of seeds where both runs have several for every fold.
    """
    spreads = [
        jackknife(one - other, without - without_other, strata=strata)
        for one, other, without, without_other, strata in zip(
            first.values, second.values, first.left_out, second.left_out, first.strata, strict=True
        )
    ]
    clips = combined(spreads, first.weights)
    if first.seeds is None or second.seeds is None:
        return clips
    return combined([clips, first.seeds, second.seeds], [1.0, 1.0, 1.0])


def difference(first: float, second: float, spread: Spread) -> Difference:
    """A difference of two scores with its interval and p, by Student's t."""
    value = _stored(first - second)
    p = p_value(value, spread)
    if not 0 < spread.variance < math.inf:
        low, high = (value, value) if spread.variance == 0 else (-1.0, 1.0)
        return Difference(value, low, high, p)
    half = t_quantile(spread.freedom) * math.sqrt(spread.variance)
    return Difference(value, _stored(max(first - second - half, -1)), _stored(min(first - second + half, 1)), p)


def p_value(value: float, spread: Spread) -> float:
    """Two-sided p of a difference under Student's t.

    Where every resampling unit has moved the difference alike it has no spread: then it is the sign test's p of all
    units on one side; and 1 where nothing is known of the spread, or there is no difference.
    """
    from scipy.special import stdtr  # takes longer to import than all else here together

    if value == 0 or spread.variance == math.inf:
        return 1.0
    if spread.variance == 0:
        return min(1.0, 2.0 ** (1 - min(spread.units, 1000)))
    return min(1.0, float(2 * stdtr(spread.freedom, -abs(value) / math.sqrt(spread.variance))))


def discordant(true: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[int, int]:
    """How many clips only the first run, and only the second, has right, from class indices (N,)."""
    one, other = first == true, second == true
    return int((one & ~other).sum()), int((other & ~one).sum())


def mcnemar(only_first: int, only_second: int) -> float:
    """McNemar's exact test: the two-sided p of the discordant clips under a fair coin.

    Each clip must be counted once, and clips must be independent. It asks about accuracy (WAR) alone. 1 where no clip
    is discordant. Source: McNemar, Note on the sampling error of the difference between correlated proportions,
    Psychometrika 1947; the exact form is the sign test. Dietterich, Approximate Statistical Tests for Comparing
    Supervised Classification Learning Algorithms, Neural Computation 1998, recommends it for models that were trained
    once.
    """
    from scipy.stats import binomtest  # takes longer to import than all else here together

    total = only_first + only_second
    return float(binomtest(only_first, total).pvalue) if total else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """p values corrected for their number, in the given order; controls the chance of any false positive.

    Source: Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 1979.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted.tolist()


def _stored(value: float) -> float:
    """Rounded as scores are, and never minus zero."""
    return rounded(value) + 0.0
