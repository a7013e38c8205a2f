"""The transform: from a clip's frames to its frames."""

from typing import Any

import numpy as np
from mmaction.registry import TRANSFORMS


@TRANSFORMS.register_module()
class MyPluginTransform:
    """Darken a clip: all its frames by one factor, drawn between `1 - strength` and 1."""

    def __init__(self, strength: float) -> None:
        self.strength = strength

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Replace `imgs`, a list of T uint8 RGB frames (H, W, 3), by new arrays of the same kind.

        NumPy's global generator is seeded for each clip and epoch: draw from it, and the clip looks the same whichever
        worker reads it.
        """
        factor = np.random.uniform(1 - self.strength, 1)
        results["imgs"] = [(frame * factor).astype(np.uint8) for frame in results["imgs"]]
        return results
