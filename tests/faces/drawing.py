"""Drawn faces that a detector of real ones finds, at places that are known, and clips of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np

SIZE = (180, 240)
# Left, top and side of the square that a drawn face fills.
Place = tuple[float, float, float]


def draw_face(frame: np.ndarray, place: Place, skin: tuple[int, int, int] = (224, 182, 150)) -> None:
    """Draw a frontal face into a frame (H, W, 3)."""
    x, y, side = place

    def at(u: float, v: float) -> tuple[int, int]:
        return round(x + u * side), round(y + v * side)

    def oval(u: float, v: float, wide: float, high: float, colour: tuple[int, int, int]) -> None:
        axes = max(round(wide * side), 1), max(round(high * side), 1)
        cv2.ellipse(frame, at(u, v), axes, 0, 0, 360, colour, -1, cv2.LINE_AA)

    dark = tuple(int(value * 0.55) for value in skin)
    shade = tuple(int(value * 0.8) for value in skin)
    oval(0.5, 0.42, 0.47, 0.55, (60, 45, 35))
    oval(0.5, 0.52, 0.4, 0.52, skin)
    for u in (0.32, 0.68):
        oval(u, 0.4, 0.13, 0.075, dark)
        oval(u, 0.41, 0.075, 0.04, (240, 240, 240))
        oval(u, 0.41, 0.035, 0.035, (30, 25, 25))
        oval(u, 0.31, 0.13, 0.025, (50, 40, 35))
    oval(0.5, 0.5, 0.045, 0.16, tuple(min(int(value * 1.08), 255) for value in skin))
    oval(0.5, 0.66, 0.09, 0.025, shade)
    oval(0.5, 0.8, 0.17, 0.045, (150, 60, 60))
