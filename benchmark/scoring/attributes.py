"""Scores by attribute of the clips: the worst group, the gap, and whether chance alone would make such a gap.

p values are those of permutation tests: the attribute's values are dealt out anew among what could have had them,
clips of the same class, or whole clusters (such as subjects) where all clips of each have one value. So a group is not
called worse for having more clips of a hard class, and ten clips of one person are not taken for ten people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.plugin_functions import ScoreConfusion
from benchmark.scoring.comparison import Answers, holm

ROUNDS = 1999


@dataclass(frozen=True)
class GroupScore:
    """One group: its predictions, its score, that of all others, and the two-sided p of the two, corrected after Holm.

    Scores are of all units' predictions taken together; NaN where there are none.
    """

    name: str
    predictions: int
    value: float
    rest: float
    p: float


@dataclass(frozen=True)
class Gap:
    """A metric by an attribute: the groups, and how far the best is from the worst, with the p of such a gap."""

    attribute: str
    metric: str
    groups: tuple[GroupScore, ...]
    gap: float
    p: float

    @property
    def worst(self) -> GroupScore:
        """The group with the lowest score; the first of equals."""
        return min(self.groups, key=lambda group: group.value)


def gap_by(
    attribute: str,
    names: Sequence[str],
    metric: str,
    compute: ScoreConfusion,
    answers: Sequence[Answers],
    values: Sequence[np.ndarray],
    size: int,
) -> Gap:
    """A metric of confusions by the values `names` (G,) of an attribute, over `size` classes.

    values: for each set of clips that was answered the index (N,) of each clip's value. Draws 1,999 permutations from
    a stream of its own, so that anyone finds a p again.
    """
    counts = _confusions(answers, values, len(names), size)
    score, rest, gap = _scores(compute, counts)
    random = np.random.default_rng(0)
    further, wider = np.zeros(len(names)), 0
    for _ in range(ROUNDS):
        dealt = [_dealt(one, own, random) for one, own in zip(answers, values, strict=True)]
        own, others, chance = _scores(compute, _confusions(answers, dealt, len(names), size))
        # Equal scores differ in their last digits when they are summed in another order.
        further += np.abs(own - others) >= np.abs(score - rest) - 1e-12
        wider += chance >= gap - 1e-12
    p = holm(((1 + further) / (1 + ROUNDS)).tolist())
    groups = zip(names, counts.sum(axis=(1, 2)), score, rest, p, strict=True)
    return Gap(
        attribute=attribute,
        metric=metric,
        groups=tuple(GroupScore(name, int(n), float(a), float(b), float(q)) for name, n, a, b, q in groups),
        gap=gap,
        p=(1 + wider) / (1 + ROUNDS),
    )


def _scores(compute: ScoreConfusion, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    own = np.asarray(compute(counts))
    return own, np.asarray(compute(counts.sum(axis=0) - counts)), float(own.max() - own.min())


def _confusions(answers: Sequence[Answers], values: Sequence[np.ndarray], groups: int, size: int) -> np.ndarray:
    """Counts (G, K, K) of all units."""
    total = np.zeros(groups * size * size, dtype=np.int64)
    for one, own in zip(answers, values, strict=True):
        for predicted in one.predicted:
            total += np.bincount((own * size + one.true) * size + predicted, minlength=len(total))
    return total.reshape(groups, size, size)


def _dealt(answers: Answers, values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The values (N,) dealt out anew."""
    if answers.clusters is not None:
        _, first, place = np.unique(answers.clusters, return_index=True, return_inverse=True)
        if (values[first][place] == values).all():
            return random.permutation(values[first])[place]
    # Within clusters, where those hold several values: their clips are alike, and only they can change places.
    strata = answers.true if answers.clusters is None else answers.clusters * (answers.true.max() + 1) + answers.true
    dealt = values.copy()
    for own in (strata == k for k in np.unique(strata)):
        dealt[own] = random.permutation(dealt[own])
    return dealt
