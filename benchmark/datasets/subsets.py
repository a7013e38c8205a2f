"""Train subsets: learning from clear clips alone, or from as many clips of any kind (MIDAS paper, section V-E)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from benchmark.errors import IntegrityError
from benchmark.protocol import TrainSubset
from benchmark.specs import Clip


def take_subset(train: Sequence[Clip], rule: TrainSubset, classes: Sequence[str]) -> tuple[Clip, ...]:
    """The clips to learn from, ordered by id; a class with too few is filled up by repeating its clips.

    Each class gets its share of `train`, by largest remainder, so that two subsets of equal size have equal class
    counts. Which clips are taken or repeated first follows the SHA-256 of their ids. A class without any clear clip is
    represented by its clearest.
    """
    size = (2 * len(train) * rule.clips + rule.of) // (2 * rule.of)
    by_class = {name: [clip for clip in train if clip.label == name] for name in classes}
    wanted = _apportion({name: len(clips) for name, clips in by_class.items()}, size)
    taken: list[Clip] = []
    for name, clips in by_class.items():
        kept = [clip for clip in clips if rule.keep == "any" or _is_clear(clip, rule)]
        if clips and not kept:
            clearest = max(map(_agreement, clips))
            kept = [clip for clip in clips if _agreement(clip) == clearest]
        kept.sort(key=lambda clip: hashlib.sha256(clip.id.encode()).digest())
        taken += [kept[position % len(kept)] for position in range(wanted[name])]
    return tuple(sorted(taken, key=lambda clip: clip.id))


def _is_clear(clip: Clip, rule: TrainSubset) -> bool:
    # Nine of ten votes are 0.9 of them, whatever the last digit of the quotient.
    share = round(_agreement(clip), 9)
    return share > rule.above if rule.above is not None else share >= (rule.at_least or 0)


def _agreement(clip: Clip) -> float:
    """The share of votes for the most voted emotion."""
    if clip.votes is None:
        raise IntegrityError(f"clip {clip.id}: has no votes, and only votes tell whether it is clear")
    return max(clip.votes.values()) / sum(clip.votes.values())


def _apportion(counts: dict[str, int], size: int) -> dict[str, int]:
    """Divide `size` in proportion to `counts`: whole shares first, then one more by largest remainder."""
    total = sum(counts.values())
    shares = {name: count * size // total for name, count in counts.items()}
    by_remainder = sorted(counts, key=lambda name: (-(counts[name] * size % total), name))
    for name in by_remainder[: size - sum(shares.values())]:
        shares[name] += 1
    return shares
