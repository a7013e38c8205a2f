"""Proving that what belongs together stays together: nobody is in two parts of a fold."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from benchmark.protocol import HeldOut, Protocol

SUBJECT = "subject"


@dataclass(frozen=True)
class Member:
    """A clip in its folds. groups: its values of the attributes that no fold may divide."""

    dataset: str
    groups: Mapping[str, str]
    parts: Mapping[int, str]


@dataclass(frozen=True)
class Crossing:
    """One value of an attribute, such as a subject, in several parts of a fold. clips: how many there are in each."""

    dataset: str
    attribute: str
    value: str
    fold: int
    clips: Mapping[str, int]


def kept_together(protocol: Protocol | None) -> tuple[str, ...]:
    """The attributes that no fold may divide: `subject`, and those by which a protocol's rules group clips."""
    rules = (protocol.split.test, protocol.split.val) if protocol else ()
    groups = (rule.group for rule in rules if isinstance(rule, HeldOut))
    return tuple(dict.fromkeys([SUBJECT, *(group for group in groups if group)]))


def find_crossings(members: Iterable[Member]) -> list[Crossing]:
    """Every value that some fold has in several of its parts, by dataset, attribute, value and fold.

    Two datasets call different people by the same name, so a value counts within its dataset.
    """
    seen: dict[tuple[str, str, str, int], Counter[str]] = defaultdict(Counter)
    for member in members:
        for attribute, value in member.groups.items():
            for fold, part in member.parts.items():
                seen[member.dataset, attribute, value, fold][part] += 1
    return [Crossing(*key, dict(sorted(clips.items()))) for key, clips in sorted(seen.items()) if len(clips) > 1]
