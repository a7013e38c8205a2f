"""MIDAS as a piece of configuration."""

from __future__ import annotations

from typing import Any

from benchmark.errors import UsageError


def build(num_classes: int, alpha: float = 0.8, normalise: str = "softmax", per_pair: bool = False) -> dict[str, Any]:
    """The blending that mixes each training batch.

    alpha: lambda follows Beta(alpha, alpha); the paper uses 0.8. normalise: `softmax` (the paper) passes each mixed
    target through a softmax, `none` leaves it. per_pair: draw a lambda for each pair instead of one for the batch.
    """
    if not alpha > 0:
        raise UsageError(f"midas: alpha must be above 0, not {alpha}")
    if normalise not in ("softmax", "none"):
        raise UsageError(f"midas: normalise must be 'softmax' or 'none', not '{normalise}'")
    return dict(type="MidasBlending", num_classes=num_classes, alpha=alpha, normalise=normalise, per_pair=per_pair)
