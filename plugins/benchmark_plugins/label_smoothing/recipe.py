"""Label smoothing as a piece of configuration."""

from __future__ import annotations

from typing import Any

from benchmark.errors import UsageError


def build(num_classes: int, epsilon: float = 0.1) -> dict[str, Any]:
    """The transform that smooths each clip's target. epsilon: the share of the uniform distribution."""
    if not 0 < epsilon < 1:
        raise UsageError(f"label-smoothing: epsilon must be between 0 and 1, not {epsilon}")
    return dict(type="SmoothTarget", epsilon=epsilon)
