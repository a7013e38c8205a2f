"""Units that were tested on the same clips, and what leaving out each independent part of these clips does to a score.

Confusions are all that is needed: leaving a clip out lowers one cell by one, so that a confusion (K, K) has at most K x
K different ways to lose a clip. Where clips share a video, subject or source, a confusion of each such cluster is
needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.plugin_functions import ScoreConfusion
from benchmark.scoring.intervals import Spread, combined, jackknife, together


@dataclass(frozen=True, eq=False)
class ClipSet:
    """Units that were tested on the same clips.

    confusions: counts (U, K, K). folds: the fold (U,) that each was trained for; units of one fold differ in their
    seeds. clusters: counts (U, C, K, K) of each cluster, in one order for all units; None where clips are independent.
    """

    confusions: np.ndarray
    folds: tuple[int, ...]
    clusters: np.ndarray | None = None

    def __post_init__(self) -> None:
        clips = self.confusions.sum(axis=2)
        if (clips != clips[0]).any():
            raise ValueError("units with the same test clips must have the same number of them in each class")
        if self.clusters is None:
            return
        if (self.clusters.sum(axis=1) != self.confusions).any():
            raise ValueError("the confusions of the clusters do not sum to the unit's")
        clips = self.clusters.sum(axis=3)
        if (clips != clips[0]).any():
            raise ValueError("units with the same test clips must have the same number of them in each cluster")


def spread_over_clips(compute: ScoreConfusion, tested: ClipSet) -> Spread:
    """The spread of the mean score of a set's units, for the choice of its clips (or clusters).

    Single clips are left out within their class, since test lists fix how many clips each class has. The confusions of
    several units do not say which clips they have in common, so that their spread is the widest possible then (see
    `together`).
    """
    if tested.clusters is not None:
        value = float(np.mean(compute(tested.confusions)))
        return jackknife(value, without_each_cluster(compute, tested))
    spreads = []
    for confusion in tested.confusions:
        cells = np.argwhere(confusion)
        values = without_a_clip(compute, confusion)[tuple(cells.T)]
        spreads.append(jackknife(float(compute(confusion)), values, confusion[tuple(cells.T)], strata=cells[:, 0]))
    return together(spreads)


def spread_over_seeds(compute: ScoreConfusion, tested: Sequence[ClipSet]) -> Spread | None:
    """The spread of the mean score of all units for the choice of seeds; None unless every fold has several."""
    parts, weights = [], []
    total = sum(len(one.folds) for one in tested)
    for one in tested:
        scores = np.asarray(compute(one.confusions), dtype=np.float64)
        for fold in sorted(set(one.folds)):
            own = scores[[number == fold for number in one.folds]]
            if len(own) < 2:
                return None
            parts.append(Spread(float(own.var(ddof=1)) / len(own), 0.0, len(own) - 1.0, len(own)))
            weights.append(len(own) / total)
    return combined(parts, weights)


def spread_of_mean(compute: ScoreConfusion, tested: Sequence[ClipSet]) -> Spread:
    """The spread of the mean score of all units: over clips, and over seeds where every fold has several of them.

    Sets of test clips are independent of each other, and so are seeds. What seeds change in single clips is counted in
    both parts, so that the spread of several seeds is rather too wide than too narrow.
    """
    total = sum(len(one.folds) for one in tested)
    clips = combined([spread_over_clips(compute, one) for one in tested], [len(one.folds) / total for one in tested])
    seeds = spread_over_seeds(compute, tested)
    if seeds is None:
        return clips
    both = combined([clips, seeds], [1.0, 1.0])
    return Spread(both.variance, both.bias, both.freedom, clips.units)


def without_a_clip(compute: ScoreConfusion, confusion: np.ndarray) -> np.ndarray:
    """The score (K, K) of a confusion (K, K) that has lost one clip of each cell; NaN for an empty cell."""
    size = len(confusion)
    values = np.full((size, size), np.nan)
    cells = np.argwhere(confusion)
    lost = np.broadcast_to(confusion, (len(cells), size, size)).copy()
    lost[np.arange(len(cells)), cells[:, 0], cells[:, 1]] -= 1
    values[tuple(cells.T)] = compute(_with_every_class(lost, confusion))
    return values


def without_each_cluster(compute: ScoreConfusion, tested: ClipSet) -> np.ndarray:
    """The mean score (C,) of a set's units without each of its clusters."""
    assert tested.clusters is not None
    whole = tested.confusions[:, None]
    return np.asarray(compute(_with_every_class(whole - tested.clusters, whole))).mean(axis=0)


def _with_every_class(lost: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Confusions (..., K, K) that have lost clips, with the rows that lost all of theirs as they were.

    A class that one resampling unit holds alone cannot vary: without it the score would be that of other classes.
    """
    return np.where(lost.any(axis=-1, keepdims=True), lost, whole)
