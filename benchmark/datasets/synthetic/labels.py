"""Who feels what in the made-up clips: class counts, mixtures, the annotators' votes, and the splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.datasets.synthetic.emotions import EMOTIONS
from benchmark.errors import UsageError

ANNOTATORS = 10
MAJORITY = 6
FOLDS = 5

_LEAST_PER_CLASS = FOLDS  # so that every test fold can have a clip of every class
_BLENDED = 0.25
_MISREADING = 0.15


@dataclass(frozen=True)
class Feeling:
    """What a clip shows and what its annotators made of it.

    mixture: emotion name to weight, summing to 1. votes: counts by emotion name, in the order of the classes.
    """

    mixture: Mapping[str, float]
    votes: Mapping[str, int]


def planned_counts(clips: int, shares: Mapping[str, int]) -> dict[str, int]:
    """Divide `clips` in proportion to `shares`, with at least one clip of each class for each of five folds.

    Raises UsageError when there are too few clips for that.
    """
    least = _LEAST_PER_CLASS * len(shares)
    if clips < least:
        raise UsageError(
            f"{clips} synthetic clips are too few: each of the {len(shares)} classes needs at least "
            f"{_LEAST_PER_CLASS}. Ask for {least} or more."
        )
    total = sum(shares.values())
    counts = {name: max(_LEAST_PER_CLASS, clips * share // total) for name, share in shares.items()}
    # Rounding and the minimum leave a difference; the class that is furthest from its exact share pays for it.
    while (missing := clips - sum(counts.values())) != 0:
        step = 1 if missing > 0 else -1
        open_classes = [name for name in shares if counts[name] + step >= _LEAST_PER_CLASS]
        furthest = max(open_classes, key=lambda name: step * (clips * shares[name] / total - counts[name]))
        counts[furthest] += step
    return counts


def shuffled(counts: Mapping[str, int], rng: np.random.Generator) -> dict[int, str]:
    """Clips numbered from 1 with so many of each label, in random order."""
    labels = [name for name, count in counts.items() for _ in range(count)]
    return {number: labels[which] for number, which in enumerate(rng.permutation(len(labels)), start=1)}


def stratified_folds(
    labels: Mapping[int, str], rng: np.random.Generator, classes: Sequence[str] = EMOTIONS
) -> dict[int, int]:
    """Assign each clip to one test fold, 1..5, so that every class and every fold is spread evenly."""
    folds: dict[int, int] = {}
    for members in _by_class(labels, classes):
        for clip in rng.permutation(members).tolist():
            # Dealing on where the last class stopped keeps the folds' sizes within one of each other.
            folds[clip] = len(folds) % FOLDS + 1
    return folds


def divide(labels: Mapping[int, str], shares: Mapping[str, float], rng: np.random.Generator) -> dict[int, str]:
    """Assign each clip to a part: a share of each class, and at least one clip of it, to every part in `shares`, and
    the rest to `train`."""
    parts = dict.fromkeys(labels, "train")
    for members in _by_class(labels, sorted(set(labels.values()))):
        order = rng.permutation(members).tolist()
        for part, share in shares.items():
            for _ in range(max(1, round(share * len(members)))):
                parts[order.pop()] = part
    return parts


def _by_class(labels: Mapping[int, str], classes: Sequence[str]) -> list[list[int]]:
    return [sorted(clip for clip, label in labels.items() if label == name) for name in classes]


def draw_feeling(
    label: str | None,
    rng: np.random.Generator,
    classes: Sequence[str] = EMOTIONS,
    annotators: int = ANNOTATORS,
    majority: int = MAJORITY,
) -> Feeling:
    """Draw mixtures and votes until the annotators' majority is `label` (None: until they do not agree)."""
    while True:
        mixture = _draw_mixture(label, rng, classes)
        votes = draw_votes(mixture, rng, classes, annotators)
        if winner(votes, majority) == label:
            return Feeling(mixture, votes)


def draw_votes(
    mixture: Mapping[str, float], rng: np.random.Generator, classes: Sequence[str], annotators: int
) -> dict[str, int]:
    """What `annotators` people see in a mixture of emotions: most of them one of its parts, some of them anything."""
    truth = np.array([mixture.get(name, 0.0) for name in classes])
    beliefs = (1 - _MISREADING) * truth + _MISREADING / len(classes)
    return dict(zip(classes, rng.multinomial(annotators, beliefs).tolist(), strict=True))


def winner(votes: Mapping[str, int], majority: int) -> str | None:
    """The emotion with the most votes if it is the only one and has at least `majority` of them, or None."""
    most = max(votes.values())
    first = [name for name, count in votes.items() if count == most]
    return first[0] if len(first) == 1 and most >= majority else None


def _draw_mixture(label: str | None, rng: np.random.Generator, classes: Sequence[str]) -> dict[str, float]:
    main = label or str(rng.choice(classes))
    if label is not None and rng.uniform() >= _BLENDED:
        return {main: 1.0}
    other = str(rng.choice([name for name in classes if name != main]))
    weight = rng.uniform(0.5, 0.8) if label is not None else rng.uniform(0.4, 0.6)
    return {main: weight, other: 1 - weight}
