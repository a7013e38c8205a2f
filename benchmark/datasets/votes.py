"""Votes as a distribution over classes: the soft label."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.specs import Clip


def vote_shares(clip: Clip, classes: Sequence[str]) -> list[float] | None:
    """The share of the votes that each class (K,) got among the classes; None if nobody voted for any of them."""
    votes = [(clip.votes or {}).get(name, 0.0) for name in classes]
    total = sum(votes)
    return [count / total for count in votes] if total else None
