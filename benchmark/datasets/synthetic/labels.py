"""Who feels what in the made-up clips: class counts, mixtures, the annotators' votes, and the folds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchmark.datasets.synthetic.emotions import EMOTIONS
from benchmark.errors import UsageError

ANNOTATORS = 10
MAJORITY = 6
FOLDS = 5

_BLENDED = 0.25
_MISREADING = 0.15


@dataclass(frozen=True)
class Feeling:
    """What a clip shows and what its annotators made of it.

    mixture: emotion name to weight, summing to 1. votes: counts in the order of `EMOTIONS`, summing to `ANNOTATORS`.
    """

    mixture: Mapping[str, float]
    votes: tuple[int, ...]

    @property
    def label(self) -> str | None:
        """The emotion with at least `MAJORITY` votes, or None."""
        top = int(np.argmax(self.votes))
        return EMOTIONS[top] if self.votes[top] >= MAJORITY else None


def planned_counts(clips: int, shares: Mapping[str, int]) -> dict[str, int]:
    """Divide `clips` in proportion to `shares`, with at least one clip of each class for every fold.

    Raises UsageError when there are too few clips for that.
    """
    least = FOLDS * len(shares)
    if clips < least:
        raise UsageError(
            f"{clips} synthetic clips are too few: {len(shares)} classes in {FOLDS} test folds need at least one clip "
            f"of each class per fold. Ask for {least} or more."
        )
    total = sum(shares.values())
    counts = {name: max(FOLDS, clips * share // total) for name, share in shares.items()}
    # Rounding and the minimum leave a difference; the class that is furthest from its exact share pays for it.
    while (missing := clips - sum(counts.values())) != 0:
        step = 1 if missing > 0 else -1
        open_classes = [name for name in shares if counts[name] + step >= FOLDS]
        furthest = max(open_classes, key=lambda name: step * (clips * shares[name] / total - counts[name]))
        counts[furthest] += step
    return counts


def stratified_folds(labels: Mapping[int, str], rng: np.random.Generator) -> dict[int, int]:
    """Assign each clip id to one test fold, 1..5, so that every class and every fold is spread evenly."""
    folds: dict[int, int] = {}
    for name in EMOTIONS:
        members = sorted(clip for clip, label in labels.items() if label == name)
        for clip in rng.permutation(members).tolist():
            # Dealing on where the last class stopped keeps the folds' sizes within one of each other.
            folds[clip] = len(folds) % FOLDS + 1
    return folds


def draw_feeling(label: str | None, rng: np.random.Generator) -> Feeling:
    """Draw mixtures and votes until the annotators' majority is `label` (None: until they do not agree)."""
    while True:
        mixture = _draw_mixture(label, rng)
        truth = np.array([mixture.get(name, 0.0) for name in EMOTIONS])
        beliefs = (1 - _MISREADING) * truth + _MISREADING / len(EMOTIONS)
        feeling = Feeling(mixture, tuple(rng.multinomial(ANNOTATORS, beliefs).tolist()))
        if feeling.label == label:
            return feeling


def _draw_mixture(label: str | None, rng: np.random.Generator) -> dict[str, float]:
    main = label or str(rng.choice(EMOTIONS))
    if label is not None and rng.uniform() >= _BLENDED:
        return {main: 1.0}
    other = str(rng.choice([name for name in EMOTIONS if name != main]))
    weight = rng.uniform(0.5, 0.8) if label is not None else rng.uniform(0.4, 0.6)
    return {main: weight, other: 1 - weight}
