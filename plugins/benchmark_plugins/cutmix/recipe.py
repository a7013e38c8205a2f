"""CutMix as a piece of configuration."""

from __future__ import annotations

from typing import Any

from benchmark.errors import UsageError


def build(num_classes: int, alpha: float = 1.0) -> dict[str, Any]:
    """MMAction2's CutMix of each training batch. alpha: the kept share of a frame is drawn from Beta(alpha, alpha)."""
    if not alpha > 0:
        raise UsageError(f"cutmix: alpha must be above 0, not {alpha}")
    return dict(type="CutmixBlending", num_classes=num_classes, alpha=alpha)
