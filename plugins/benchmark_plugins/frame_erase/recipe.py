"""In-frame erasing as a piece of configuration."""

from __future__ import annotations

from typing import Any

from benchmark.errors import UsageError


def build(num_classes: int, share: float = 0.2, shape: str = "pixels") -> dict[str, Any]:
    """The transform that erases. share: of a frame's pixels. shape: `pixels` scattered at random, or one `block`."""
    if not 0 < share < 1:
        raise UsageError(f"frame-erase: share must be between 0 and 1, not {share}")
    if shape not in ("pixels", "block"):
        raise UsageError(f"frame-erase: shape must be 'pixels' or 'block', not '{shape}'")
    return dict(type="EraseFrames", share=share, shape=shape)
