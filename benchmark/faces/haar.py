"""The detector that is always there: OpenCV's Haar cascade."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from benchmark.faces.face import Face, shrunk, surest_first


class Haar:
    """OpenCV's cascade of Haar features for frontal faces (Viola and Jones, CVPR 2001; Lienhart and Maydt, ICIP 2002).

    It finds faces that look at the camera, upright, from a tenth of the picture's shorter side.
    """

    LONGER_SIDE = 480

    def __init__(self, weights: Path) -> None:
        self._cascade = cv2.CascadeClassifier(str(weights))

    def __call__(self, frame: np.ndarray) -> list[Face]:
        """See `Detector`."""
        small, scale = shrunk(frame, self.LONGER_SIDE)
        least = max(24, min(small.shape[:2]) // 10)
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        boxes, votes = self._cascade.detectMultiScale2(grey, scaleFactor=1.1, minNeighbors=5, minSize=(least, least))
        faces = [
            Face(tuple(float(value) / scale for value in box), float(vote))  # type: ignore[arg-type]
            for box, vote in zip(boxes, votes, strict=True)
        ]
        return surest_first(faces)
