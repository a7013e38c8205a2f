"""Votes as a distribution over classes: the soft label."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.specs import Clip


def vote_shares(clip: Clip, classes: Sequence[str]) -> list[float] | None:
    """The share of the votes that each class (K,) got among the classes; None if nobody voted for any of them."""
    votes = [(clip.votes or {}).get(name, 0.0) for name in classes]
    total = sum(votes)
    return [count / total for count in votes] if total else None


def share_for_label(clips: Sequence[Clip]) -> float:
    """The share of all votes that are for their clip's label: how often people recognise what it is said to show."""
    total = sum(sum((clip.votes or {}).values()) for clip in clips)
    return sum((clip.votes or {}).get(clip.label, 0.0) for clip in clips) / total if total else 0.0
