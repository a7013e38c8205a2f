"""Counting what official lists hold, and comparing it with what is known of the dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmark.datasets.scored import scored_labels
from benchmark.specs import Clip, DatasetLayout

# Per fold and official part: `clips`, a number, and `per_class`, numbers by class name.
Counts = Mapping[int, Mapping[str, Mapping[str, Any]]]


def class_counts(clips: Iterable[Clip], classes: Sequence[str]) -> dict[str, int]:
    """Number of clips (or labelled frames, see `scored_labels`) of each class: `classes` first, zeros included, then
    any other label."""
    counts = Counter(label for clip in clips for label in scored_labels([clip]).values())
    return {name: counts[name] for name in [*classes, *sorted(set(counts) - set(classes))]}


def part_counts(clips: Sequence[Clip], classes: Sequence[str]) -> Counts:
    """The counts of every part of every fold."""
    members: dict[int, dict[str, list[Clip]]] = {}
    for clip in clips:
        for fold, part in clip.parts.items():
            members.setdefault(fold, {}).setdefault(part, []).append(clip)
    return {
        fold: {
            part: {"clips": len(listed), "per_class": class_counts(listed, classes)}
            for part, listed in sorted(parts.items())
        }
        for fold, parts in sorted(members.items())
    }


def unexpected(layout: DatasetLayout, counts: Counts) -> list[str]:
    """In which ways the counts differ from the dataset's known ones."""
    return [
        f"fold {fold}, {part}: {key} is {counts.get(fold, {}).get(part, {}).get(key)}, the official list has {value}"
        for fold, parts in layout.expected.items()
        for part, facts in parts.items()
        for key, value in facts.items()
        if counts.get(fold, {}).get(part, {}).get(key) != value
    ]
