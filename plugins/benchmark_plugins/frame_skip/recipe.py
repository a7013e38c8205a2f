"""Frame skipping as a piece of configuration."""

from __future__ import annotations

from typing import Any

from benchmark.errors import UsageError


def build(num_classes: int, low: float = 0.2, high: float = 0.4, refill: str = "resample") -> dict[str, Any]:
    """The transform that leaves frames out.

    low, high: a clip's drop rate is uniform between them. refill: how the method's number of frames is reached again,
    `resample` (what is left, spread evenly) or `pad` (the last frame, repeated).
    """
    if not 0 <= low <= high < 1:
        raise UsageError(f"frame-skip: low and high must be in this order, from 0 to below 1, not {low} and {high}")
    if refill not in ("resample", "pad"):
        raise UsageError(f"frame-skip: refill must be 'resample' or 'pad', not '{refill}'")
    return dict(type="SkipFrames", low=low, high=high, refill=refill)
