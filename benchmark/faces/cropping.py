"""One crop: the square around a face's box, cut out of a frame."""

from __future__ import annotations

import math

import cv2
import numpy as np

from benchmark.faces.recipe import CropRecipe


def crop(frame: np.ndarray, box: np.ndarray, angle: float, recipe: CropRecipe) -> np.ndarray:
    """The crop (size, size, 3), uint8 RGB, of a frame (H, W, 3).

    box: left, top, width and height. angle: of the line through the eyes, in degrees; only a recipe that aligns turns
    by it. Outside the frame its edge goes on.
    """
    x, y, w, h = (float(value) for value in box)
    side = max(w, h) * (1 + 2 * recipe.margin)
    turn = math.radians(angle) if recipe.align == "eyes" else 0.0
    # Cut out at its own size, then resized: warping to a smaller one would leave pixels out.
    pixels = max(round(side), 1)
    step = side / pixels
    right = np.array([math.cos(turn), math.sin(turn)]) * step
    down = np.array([-math.sin(turn), math.cos(turn)]) * step
    middle = np.array([x + w / 2 - 0.5, y + h / 2 - 0.5])
    corner = middle - (right + down) * (pixels - 1) / 2
    # From a crop's pixel to the frame's.
    matrix = np.column_stack([right, down, corner])
    cut = cv2.warpAffine(
        frame,
        matrix,
        (pixels, pixels),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return resized(cut, recipe.size)


def middle(frame: np.ndarray, size: int) -> np.ndarray:
    """The largest square in a frame's middle, (size, size, 3)."""
    height, width = frame.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return resized(frame[top : top + side, left : left + side], size)


def resized(square: np.ndarray, size: int) -> np.ndarray:
    """The picture at that size."""
    interpolation = cv2.INTER_AREA if square.shape[0] > size else cv2.INTER_LINEAR
    return cv2.resize(square, (size, size), interpolation=interpolation)
