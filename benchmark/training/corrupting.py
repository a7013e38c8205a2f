"""Clips spoiled on their way into a model that is tested."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmaction.registry import TRANSFORMS

from benchmark.video.corruptions import corrupt


def corrupt_loader(loader: Any, name: str, severity: int) -> None:
    """Have the clips of a loader's config spoiled as soon as they are read, in place.

    What is drawn for a clip follows from the corruption and the clip's id alone, whoever the model is.
    """
    loader["dataset"]["seed"] = f"corruption/{name}"
    loader["dataset"]["pipeline"].insert(1, {"type": "Corrupt", "name": name, "severity": severity})


@TRANSFORMS.register_module()
class Corrupt:
    """Spoil a clip in one way, see `benchmark.video.corruptions`."""

    def __init__(self, name: str, severity: int) -> None:
        self.name, self.severity = name, severity

    def __call__(self, results: dict) -> dict:
        """Replace `imgs`, the list of T uint8 RGB arrays (H, W, 3)."""
        stream = np.random.default_rng(np.random.randint(2**31))
        results["imgs"] = corrupt(results["imgs"], self.name, self.severity, stream)
        return results
