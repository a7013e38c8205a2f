"""A transform that does one thing wrong, by its `kind`."""

from __future__ import annotations

import numpy as np
from mmaction.registry import TRANSFORMS


@TRANSFORMS.register_module()
class BadPluginTransform:
    def __init__(self, kind: str, num_classes: int) -> None:
        if kind == "seven" and num_classes != 7:
            raise ValueError("there are seven emotions")
        self.kind = kind
        self.own = np.random.default_rng()
        self.clips = 0

    def __call__(self, results: dict) -> dict:
        frames = results["imgs"]
        self.clips += 1
        match self.kind:
            case "drops":
                results["imgs"] = frames[1:]
            case "floats":
                results["imgs"] = [frame / 255 for frame in frames]
            case "writes":
                for frame in frames:
                    frame[:] = 0
            case "own":
                results["imgs"] = [frame // self.own.integers(2, 9) for frame in frames]
            case "counts":
                results["imgs"] = [frame // (1 + self.clips // len(frames)) for frame in frames]
            case "doubles":
                results["target"] = [2 * share for share in results["target"]]
            case "smooths":
                results["target"] = [0.9 * share + 0.1 / len(results["target"]) for share in results["target"]]
        return results
