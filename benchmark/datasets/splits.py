"""Splits: which clips of a fold are train, val and test. The same on every machine, for ever."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmark.errors import IntegrityError
from benchmark.protocol import Protocol
from benchmark.specs import Clip

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Fold:
    """One division of a dataset; each split is a tuple of clips ordered by id."""

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
    return [_make_fold(clips, protocol, number) for number in protocol.folds]


def _make_fold(clips: Sequence[Clip], protocol: Protocol, number: int) -> Fold:
    listed: dict[str, list[Clip]] = defaultdict(list)
    for clip in sorted(clips, key=lambda clip: clip.id):
        if number in clip.parts:
            listed[clip.parts[number]].append(clip)
    rule = protocol.split
    val = set(hold_out(listed[rule.val.source], f"{protocol.name}@{protocol.version}/{number}", rule.val.fraction))
    return Fold(
        number,
        train=tuple(clip for clip in listed[rule.train] if clip.id not in val),
        val=tuple(clip for clip in listed[rule.val.source] if clip.id in val),
        test=tuple(listed[rule.test]),
    )


def hold_out(clips: Sequence[Clip], prefix: str, fraction: float) -> list[str]:
    """Ids of the part that is held out for validation.

    Each class's clips are ordered by the SHA-256 of `"<prefix>/<clip-id>"`, and the first `fraction` of them (rounded
    half up) are taken: no random generator and no library version can move a clip.
    """
    by_class: dict[str, list[str]] = defaultdict(list)
    for clip in clips:
        by_class[clip.label].append(clip.id)
    held_out = []
    for ids in by_class.values():
        ordered = sorted(ids, key=lambda clip_id: hashlib.sha256(f"{prefix}/{clip_id}".encode()).digest())
        # In integers, because 0.2 x 12.5-like products must not depend on floating-point rounding.
        held_out += ordered[: (2 * len(ids) * round(fraction * 1_000_000) + 1_000_000) // 2_000_000]
    return held_out


def _check(clips: Sequence[Clip], protocol: Protocol) -> None:
    repeated = [clip_id for clip_id, count in Counter(clip.id for clip in clips).items() if count > 1]
    if repeated:
        raise IntegrityError(f"{protocol.dataset}: clip id listed twice: {_some(repeated)}")
    foreign = [f"{clip.id} ({clip.label})" for clip in clips if clip.label not in protocol.classes]
    if foreign:
        raise IntegrityError(
            f"{protocol.dataset}: label outside the classes {list(protocol.classes)} of {protocol.name}: "
            f"{_some(foreign)}"
        )
    for number in protocol.folds:
        parts = Counter(clip.parts.get(number) for clip in clips)
        for part in {protocol.split.train, protocol.split.val.source, protocol.split.test}:
            if not parts[part]:
                raise IntegrityError(f"{protocol.dataset}: fold {number} lists no clip in its part '{part}'")


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(sorted(names)[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
