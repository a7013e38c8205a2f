"""Label smoothing (Szegedy et al., section 7) as a clip transform."""

from __future__ import annotations

from typing import Any

from mmaction.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SmoothTarget:
    """Mix the target with the uniform distribution over the K classes: `(1 - epsilon) * target + epsilon / K`."""

    def __init__(self, epsilon: float) -> None:
        self.epsilon = epsilon

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Replace the list `target` (K,); `label_smoothing` says how the targets of single frames are smoothed."""
        classes = len(results["target"])
        results["target"] = [(1 - self.epsilon) * share + self.epsilon / classes for share in results["target"]]
        results["label_smoothing"] = 1 - (1 - results.get("label_smoothing", 0.0)) * (1 - self.epsilon)
        return results
