"""Whether two runs differ: paired differences with intervals and p values, McNemar's test, Holm's correction.

A joint confusion counts (K, K, K) clips by true class, class predicted by the first run and class predicted by the
second. Its two margins are the runs' confusions; together it says what pairing can use: most clips are easy or hard for
both runs, so that a difference is known far better than the two scores are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from benchmark.files import canonical_json
from benchmark.scoring.intervals import RESAMPLES, percentile_interval
from benchmark.scoring.metrics import confusion_matrix
from benchmark.scoring.scores import DECIMALS, Compute, rounded

# Resamples held in memory at a time: two confusions each, which are 30 MB for 43 classes.
CHUNK = 1_000


@dataclass(frozen=True)
class Difference:
    """A metric of the first run minus that of the second, in -1..1, with its 95 % interval and two-sided p."""

    value: float
    low: float
    high: float
    p: float


def joint_confusion(true: ArrayLike, first: ArrayLike, second: ArrayLike, num_classes: int) -> np.ndarray:
    """Counts (K, K, K) of clips by true class and the classes that two runs predict, from three index vectors (N,)."""
    labels, others = np.asarray(true, dtype=np.int64), np.asarray(second, dtype=np.int64)
    # The pair (true, first) as one class of K x K, against which the second run's classes are counted.
    confusion_matrix(labels, first, num_classes)
    confusion_matrix(labels, others, num_classes)
    pairs = labels * num_classes + np.asarray(first, dtype=np.int64)
    return np.bincount(pairs * num_classes + others, minlength=num_classes**3).reshape((num_classes,) * 3)


def confusions_of(joint: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The confusions (..., K, K) of the first and of the second run, from joint confusions (..., K, K, K)."""
    return joint.sum(axis=-1), joint.sum(axis=-2)


def discordant(joint: np.ndarray) -> tuple[int, int]:
    """How many clips of a joint confusion (K, K, K) only the first run, and only the second, has right."""
    both = int(np.einsum("kkk->", joint))
    first, second = confusions_of(joint)
    return int(np.trace(first)) - both, int(np.trace(second)) - both


def mcnemar(joint: np.ndarray) -> float:
    """McNemar's exact test: the two-sided p of the discordant clips under a fair coin, from counts (K, K, K).

    Each clip must be counted once. It asks about accuracy (WAR) alone. 1 where no clip is discordant.
    Source: McNemar, Note on the sampling error of the difference between correlated proportions, Psychometrika 1947;
    the exact form is the sign test. Dietterich, Approximate Statistical Tests for Comparing Supervised Classification
    Learning Algorithms, Neural Computation 1998, recommends it for models that were trained once.
    """
    from scipy.stats import binomtest  # takes longer to import than all else here together

    first, second = discordant(joint)
    return float(binomtest(first, first + second).pvalue) if first + second else 1.0


def paired_differences(
    folds: Sequence[np.ndarray], computes: Mapping[str, Compute], resamples: int = RESAMPLES
) -> dict[str, Difference]:
    """The difference of each metric between two runs, by the metric's name: first minus second.

    folds: for each set of test clips the joint confusions (U, K, K, K) of the U units that were tested on it: one for
        each seed, and under a cross-dataset protocol one for each fold as well.
    computes: functions of confusions (..., K, K) to scores (...).

    The value is the mean over all units. The interval and p come from a stratified paired bootstrap with `resamples`
    resamples (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, sections 8.3 and 16.4): within each true
    class of each set the clips are drawn with replacement, both runs' predictions together, which is one multinomial
    draw over the K x K cells, and the metric's difference is averaged over the sets by their number of units. Units
    that share their clips can't narrow the interval: their joints are pooled, and as many clips are drawn as one unit
    has. That counts the spread between seeds as spread between clips, so the interval is rather too wide than too
    narrow. The interval is the percentile one; p is twice the smaller share of resamples on one side of zero, with one
    added to both counts, so that it is never 0.

    The draws depend on the counts alone (see `benchmark.scoring.intervals.resample`), and not on which run is first:
    swapped runs give exactly the negated value and interval, and the same p. A class whose clips all lie in one cell
    does not vary, so that its uncertainty is left out. Training again is not covered where each run has one seed.
    """
    for fold in folds:
        if (fold.sum(axis=(2, 3)) != fold[0].sum(axis=(1, 2))).any():
            raise ValueError("units on the same test clips must have the same number of clips in each class")
    total = sum(len(fold) for fold in folds)
    samples = _resample(folds, computes, resamples)
    differences = {}
    for name, compute in computes.items():
        value = sum(np.sum(compute(first) - compute(second)) for first, second in map(confusions_of, folds)) / total
        differences[name] = difference_of_samples(float(value), samples[name])
    return differences


def difference_of_samples(value: float, samples: np.ndarray) -> Difference:
    """A difference with the percentile interval and the p of its bootstrap samples (R,); see `paired_differences`."""
    # Sums of fractions miss zero by a last bit; on which side a resample lies must not depend on that.
    drawn = np.round(samples, DECIMALS)
    low, high = percentile_interval(drawn)
    tail = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return Difference(_stored(value), _stored(low), _stored(high), p=min(1.0, 2 * (tail + 1) / (len(drawn) + 1)))


def holm(p_values: Sequence[float]) -> list[float]:
    """p values corrected for their number, in the given order; controls the chance of any false positive.

    Source: Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 1979.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1.0)
    return adjusted.tolist()


def _resample(folds: Sequence[np.ndarray], computes: Mapping[str, Compute], resamples: int) -> dict[str, np.ndarray]:
    """Bootstrap samples (R,) of each metric's difference, averaged over the sets of test clips."""
    pools = [fold.sum(axis=0) for fold in folds]
    clips = [fold[0].sum(axis=(1, 2)) for fold in folds]
    spelled, swapped = (_spell(joints, clips) for joints in (pools, [pool.swapaxes(1, 2) for pool in pools]))
    # Drawn in the one order that both ways of naming the runs agree on, then turned back.
    sign = 1 if spelled <= swapped else -1
    random = np.random.RandomState(np.frombuffer(hashlib.sha256(min(spelled, swapped).encode()).digest(), dtype="<u4"))
    total = sum(len(fold) for fold in folds)
    samples = {name: np.zeros(resamples) for name in computes}
    for fold, pool, drawn_clips in zip(folds, pools, clips, strict=True):
        ordered = pool if sign == 1 else pool.swapaxes(1, 2)
        for start in range(0, resamples, CHUNK):
            first, second = _draw(ordered, drawn_clips, min(CHUNK, resamples - start), random)
            for name, compute in computes.items():
                difference = compute(first) - compute(second)
                samples[name][start : start + CHUNK] += sign * len(fold) / total * difference
    if spelled == swapped:
        # Nothing tells the two orders apart, so both are as likely: only a symmetric sample treats them alike.
        return {name: np.concatenate([drawn, -drawn]) for name, drawn in samples.items()}
    return samples


def _spell(joints: Sequence[np.ndarray], clips: Sequence[np.ndarray]) -> str:
    return canonical_json([[joint.tolist(), drawn.tolist()] for joint, drawn in zip(joints, clips, strict=True)])


def _draw(
    pool: np.ndarray, clips: np.ndarray, size: int, random: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Confusions (size, K, K) of both runs, `clips` (K) of each class being drawn from joint counts (K, K, K)."""
    classes = len(pool)
    one_hot = np.eye(classes, dtype=np.int64)
    first = np.zeros((size, classes, classes), dtype=np.int64)
    second = np.zeros_like(first)
    for true in np.flatnonzero(clips):
        cells = pool[true].ravel()
        used = np.flatnonzero(cells)
        drawn = random.multinomial(clips[true], cells[used] / cells.sum(), size=size)
        by_first, by_second = np.divmod(used, classes)
        first[:, true] = drawn @ one_hot[by_first]
        second[:, true] = drawn @ one_hot[by_second]
    return first, second


def _stored(value: float) -> float:
    """Rounded as scores are, and never minus zero."""
    return rounded(value) + 0.0
