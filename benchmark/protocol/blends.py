"""Blends as answers: one emotion alone, or two of which one is stronger or both are equally strong."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

# Whoever is neutral shows no second emotion.
ALONE = "neutral"


def blend_pairs(classes: Sequence[str]) -> list[tuple[int, int]]:
    """Every two classes that can be blended, by index, in the order of the classes."""
    mixed = [number for number, name in enumerate(classes) if name != ALONE]
    return list(combinations(mixed, 2))


def blend_names(classes: Sequence[str]) -> tuple[str, ...]:
    """The names of all answers: each class alone, then for every pair `a>b`, `a+b` (equally strong) and `b>a`."""
    blends = [
        name
        for one, other in blend_pairs(classes)
        for name in (
            f"{classes[one]}>{classes[other]}",
            f"{classes[one]}+{classes[other]}",
            f"{classes[other]}>{classes[one]}",
        )
    ]
    return (*classes, *blends)
