"""The official code's cutout: its own of every frame."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from mmaction.registry import TRANSFORMS


@TRANSFORMS.register_module()
class CutOutFrames:
    """With probability `prob` for each frame, a square of it is covered with `fill`.

    The square's edge is uniform between 0 and `most` of the frame's width; its middle can be anywhere, so that a part
    of it may lie outside.
    """

    def __init__(self, prob: float = 0.5, most: float = 0.5, fill: tuple[int, int, int] = (125, 123, 114)) -> None:
        self.prob = prob
        self.most = most
        self.fill = fill

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Replace `imgs`, a list of uint8 RGB frames (H, W, 3)."""
        results["imgs"] = [self._cut(frame) if np.random.random() < self.prob else frame for frame in results["imgs"]]
        return results

    def _cut(self, frame: np.ndarray) -> np.ndarray:
        height, width = frame.shape[:2]
        edge = np.random.uniform(0, self.most) * width
        left = int(max(np.random.uniform(0, width) - edge / 2, 0))
        top = int(max(np.random.uniform(0, height) - edge / 2, 0))
        return cv2.rectangle(frame.copy(), (left, top), (int(left + edge), int(top + edge)), self.fill, cv2.FILLED)
