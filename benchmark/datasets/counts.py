"""Counting what official lists hold, and comparing it with what is known of the dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmark.datasets.scored import scored_labels
from benchmark.specs import Clip, DatasetLayout

# Per fold and official part: `clips`, a number, `per_class`, numbers by class name, and, where the dataset knows them,
# `per_subject`, numbers by subject.
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
            part: {"clips": len(listed), "per_class": class_counts(listed, classes), **_subjects(listed)}
            for part, listed in sorted(parts.items())
        }
        for fold, parts in sorted(members.items())
    }


def _subjects(clips: Sequence[Clip]) -> dict[str, dict[str, int]]:
    counts = Counter(clip.attributes["subject"] for clip in clips if "subject" in clip.attributes)
    return {"per_subject": dict(sorted(counts.items()))} if counts else {}


def unexpected(layout: DatasetLayout, counts: Counts) -> list[str]:
    """In which ways the counts differ from the dataset's known ones."""
    return [
        f"fold {fold}, {part}: {what} is {found}, the official list has {value}"
        for fold, parts in layout.expected.items()
        for part, facts in parts.items()
        for key, known in facts.items()
        for what, found, value in _different(key, counts.get(fold, {}).get(part, {}).get(key), known)
    ]


def _different(key: str, found: Any, known: Any) -> list[tuple[str, Any, Any]]:
    """What differs, as it is and as it is known: each name by itself where there is a number for each name."""
    if not isinstance(known, Mapping) or not isinstance(found, Mapping):
        return [] if found == known else [(key, found, known)]
    kind = key.removeprefix("per_")
    names = sorted({*found, *known}, key=lambda name: (name not in known, name))
    return [
        (f"{kind} {name}", found.get(name, 0), known.get(name, 0))
        for name in names
        if found.get(name, 0) != known.get(name, 0)
    ]
