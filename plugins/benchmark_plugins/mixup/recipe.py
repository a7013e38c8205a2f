"""Mixup as a piece of configuration."""

from __future__ import annotations

from typing import Any

from benchmark.errors import UsageError


def build(num_classes: int, alpha: float = 0.2) -> dict[str, Any]:
    """MMAction2's mixup of each training batch. alpha: lambda follows Beta(alpha, alpha)."""
    if not alpha > 0:
        raise UsageError(f"mixup: alpha must be above 0, not {alpha}")
    return dict(type="MixupBlending", num_classes=num_classes, alpha=alpha)
