"""Splits: which clips of a fold are train, val and test. The same on every machine, for ever."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmark.datasets.subsets import take_subset
from benchmark.emotions import meant
from benchmark.errors import IntegrityError
from benchmark.protocol import ALL, HeldOut, Protocol
from benchmark.specs import Clip

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Fold:
    """One division of a dataset; each split is a tuple of clips ordered by id.

    A train subset may hold a clip several times; `val` is empty where the protocol holds nothing out.
    """

    number: int
    train: tuple[Clip, ...]
    val: tuple[Clip, ...]
    test: tuple[Clip, ...]

    def split(self, name: str) -> tuple[Clip, ...]:
        """The clips of `train`, `val` or `test`."""
        return getattr(self, name)


def hash_ids(ids: Iterable[str]) -> str:
    """The SHA-256, in hex, that stands for a split: of its clip ids, sorted, one per line."""
    return hashlib.sha256("".join(f"{clip_id}\n" for clip_id in sorted(ids)).encode()).hexdigest()


def make_folds(clips: Sequence[Clip], protocol: Protocol) -> list[Fold]:
    """Divide a clip table by the protocol's rule, or say what in the table contradicts the protocol."""
    _check(clips, protocol)
    ordered = sorted(clips, key=lambda clip: clip.id)
    return [_make_fold(ordered, protocol, number) for number in protocol.folds]


def _make_fold(clips: Sequence[Clip], protocol: Protocol, number: int) -> Fold:
    rule = protocol.split
    taken: set[str] = set()

    def take(split: str | HeldOut | None) -> tuple[Clip, ...]:
        if split is None:
            return ()
        source = split if isinstance(split, str) else split.source
        listed = [clip for clip in _part(clips, number, source) if clip.id not in taken]
        if isinstance(split, HeldOut):
            held_out = set(_held_out(listed, split, protocol, number))
            listed = [clip for clip in listed if clip.id in held_out]
        taken.update(clip.id for clip in listed)
        return tuple(listed)

    test = take(rule.test)
    val = take(rule.val)
    train = take(rule.train)
    if rule.train_subset is not None:
        train = take_subset(train, rule.train_subset, protocol.classes)
    fold = Fold(number, train, val, test)
    empty = [name for name in SPLITS if not fold.split(name) and (name != "val" or rule.val is not None)]
    if empty:
        raise IntegrityError(f"{protocol.dataset}: fold {number} leaves no clip for {empty[0]}")
    return fold


def _part(clips: Sequence[Clip], number: int, part: str) -> list[Clip]:
    return [clip for clip in clips if part == ALL or clip.parts.get(number) == part]


def _held_out(clips: Sequence[Clip], rule: HeldOut, protocol: Protocol, number: int) -> list[str]:
    name = rule.like or f"{protocol.name}@{protocol.version}"
    if rule.rule == "sha256-folds":
        return hold_out(clips, f"{name}/test", rule.fraction, rule.group, protocol.folds.index(number), rule.stratify)
    return hold_out(clips, f"{name}/{number}", rule.fraction, rule.group, stratify=rule.stratify)


def hold_out(
    clips: Sequence[Clip],
    prefix: str,
    fraction: float,
    group: str | None = None,
    position: int = 0,
    stratify: str | None = None,
) -> list[str]:
    """Ids of the part that is held out for validation or testing.

    Each class's clips are ordered by the SHA-256 of `"<prefix>/<clip-id>"`, and the first `fraction` of them (rounded
    half up) are taken: no random generator and no library version can move a clip. `position` k takes the k-th such
    part instead, counted from 0. With `group`, an attribute of clips, it is groups that are ordered and taken, under
    the attribute's value and the class that most of the group's clips have. With `stratify`, another attribute, this is
    done for each of its values by itself, that which most of the group's clips have.
    """
    groups: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        groups[clip.attributes.get(group, clip.id) if group else clip.id].append(clip)
    strata: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, members in groups.items():
        value = _most_frequent([clip.attributes.get(stratify, "") for clip in members]) if stratify else ""
        strata[_most_frequent([clip.label for clip in members]), value].append(name)
    held_out = []
    for names in strata.values():
        ordered = sorted(names, key=lambda name: hashlib.sha256(f"{prefix}/{name}".encode()).digest())
        first, last = (_share(len(names), fraction, parts) for parts in (position, position + 1))
        held_out += [clip.id for name in ordered[first:last] for clip in groups[name]]
    return held_out


def _most_frequent(values: Sequence[str]) -> str:
    counts = Counter(values)
    return min(counts, key=lambda value: (-counts[value], value))


def _share(count: int, fraction: float, parts: int) -> int:
    """`parts` times `fraction` of `count`, rounded half up; in integers, because 0.2 x 12.5-like products must not
    depend on floating-point rounding."""
    return (2 * count * parts * round(fraction * 1_000_000) + 1_000_000) // 2_000_000


def _check(clips: Sequence[Clip], protocol: Protocol) -> None:
    repeated = [clip_id for clip_id, count in Counter(clip.id for clip in clips).items() if count > 1]
    if repeated:
        raise IntegrityError(f"{protocol.dataset}: clip id listed twice: {_some(repeated)}")
    foreign = [
        f"{clip.id} ({label})"
        for clip in clips
        for label in (set(clip.frame_labels.values()) if clip.frame_labels is not None else {clip.label})
        if label not in protocol.classes
    ]
    if foreign:
        raise IntegrityError(
            f"{protocol.dataset}: label outside the classes {list(protocol.classes)} of {protocol.name}: "
            f"{_some(foreign)}{_slip(clips, protocol)}"
        )
    framewise = [clip.id for clip in clips if (clip.frame_labels is not None) != (protocol.windows is not None)]
    if framewise:
        has = "no windows, but these are" if protocol.windows is None else "windows, but these are not"
        raise IntegrityError(f"{protocol.name} has {has} labelled frame by frame: {_some(framewise)}")
    for number in protocol.folds:
        parts = Counter(clip.parts.get(number) for clip in clips)
        for split in (protocol.split.train, protocol.split.val, protocol.split.test):
            part = split.source if isinstance(split, HeldOut) else split
            if part not in (None, ALL) and not parts[part]:
                raise IntegrityError(f"{protocol.dataset}: fold {number} lists no clip in its part '{part}'")


def _slip(clips: Sequence[Clip], protocol: Protocol) -> str:
    near = {label: meant(label) for label in {clip.label for clip in clips} - set(protocol.classes)}
    return "".join(f"; is '{label}' meant to be '{known}'?" for label, known in sorted(near.items()) if known)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(sorted(names)[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
