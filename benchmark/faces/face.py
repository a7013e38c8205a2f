"""A face in a frame, and what detectors have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np


@dataclass(frozen=True)
class Face:
    """A face in a frame, in pixels.

    box: left, top, width and height. score: the detector's own, the higher the surer; of two detectors they do not
    compare. eyes: the two eyes' x and y, that on the left of the picture first; None from a detector without landmarks.
    """

    box: tuple[float, float, float, float]
    score: float
    eyes: tuple[tuple[float, float], tuple[float, float]] | None = None


class Detector(Protocol):
    """What finds faces."""

    def __call__(self, frame: np.ndarray) -> list[Face]:
        """The faces of a frame (H, W, 3), uint8 RGB, the surest first."""


def shrunk(frame: np.ndarray, longer_side: int) -> tuple[np.ndarray, float]:
    """The frame with its longer side shrunk to at most that many pixels, and the factor; it is never enlarged."""
    scale = min(1.0, longer_side / max(frame.shape[:2]))
    if scale == 1.0:
        return frame, scale
    size = max(round(frame.shape[1] * scale), 1), max(round(frame.shape[0] * scale), 1)
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA), scale


def surest_first(faces: list[Face]) -> list[Face]:
    """Ordered by score; equal ones by place, so that the number of threads changes nothing."""
    return sorted(faces, key=lambda face: (-face.score, face.box))
