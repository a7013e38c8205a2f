"""In-frame erasing (Lee et al., V-NAW, section 3.4, equations 4 and 5) as a clip transform."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from mmaction.registry import TRANSFORMS

# Random erasing's range of height to width (Zhong et al., AAAI 2020).
ASPECT = (0.3, 1 / 0.3)


@TRANSFORMS.register_module()
class EraseFrames:
    """Make the same `share` of pixels black in every frame of a clip: scattered `pixels`, or one `block`."""

    def __init__(self, share: float, shape: str) -> None:
        self.share = share
        self.shape = shape

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Replace `imgs`, a list of uint8 RGB frames (H, W, 3) of one size."""
        kept = self.mask(*results["imgs"][0].shape[:2])[:, :, None]
        results["imgs"] = [frame * kept for frame in results["imgs"]]
        return results

    def mask(self, height: int, width: int) -> np.ndarray:
        """1 where a pixel stays and 0 where it is erased, uint8 (height, width): equation 5's indicator."""
        kept = np.ones((height, width), dtype=np.uint8)
        count = round(self.share * height * width)
        if self.shape == "pixels":
            kept.flat[np.random.permutation(kept.size)[:count]] = 0
        else:
            self._erase_block(kept, count)
        return kept

    def _erase_block(self, kept: np.ndarray, count: int) -> None:
        """Erase a box of `count` pixels at a random place; its last row is shorter where no box has so many."""
        height, width = kept.shape
        aspect = math.exp(np.random.uniform(*np.log(ASPECT)))
        rows = min(max(round(math.sqrt(count * aspect)), math.ceil(count / width)), height)
        columns = math.ceil(count / rows)
        top, left = np.random.randint(height - rows + 1), np.random.randint(width - columns + 1)
        box = np.arange(rows * columns).reshape(rows, columns) >= count
        kept[top : top + rows, left : left + columns] = box
