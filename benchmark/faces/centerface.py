"""The detector that finds more: CenterFace, run by OpenCV."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from benchmark.faces.face import Face, shrunk, surest_first


class CenterFace:
    """Faces are points on a heat map, with sizes and five landmarks (Xu et al., CenterFace, 2019: arXiv 1911.03599)."""

    LONGER_SIDE = 416
    STRIDE = 4
    LEAST_SCORE = 0.5
    # Of two boxes that share more than this of their union, the surer one is kept.
    OVERLAP = 0.3
    OUTPUTS = ("537", "538", "539", "540")

    def __init__(self, weights: Path) -> None:
        self._weights = weights
        self._shape: tuple[int, ...] = ()

    def __call__(self, frame: np.ndarray) -> list[Face]:
        """See `Detector`."""
        small, scale = shrunk(frame, self.LONGER_SIDE)
        height, width = small.shape[:2]
        # The network halves five times; what is missing is black, so that nothing is stretched.
        padded = np.zeros((-(-height // 32) * 32, -(-width // 32) * 32, 3), np.uint8)
        padded[:height, :width] = small
        if padded.shape != self._shape:
            # OpenCV keeps what it worked out for the first size, and gives nonsense for others.
            self._net, self._shape = cv2.dnn.readNetFromONNX(str(self._weights)), padded.shape
        self._net.setInput(cv2.dnn.blobFromImage(padded))
        heat, sizes, offsets, landmarks = (each[0] for each in self._net.forward(self.OUTPUTS))
        rows, columns = np.nonzero(heat[0] > self.LEAST_SCORE)
        scores = heat[0, rows, columns]
        high, wide = np.exp(sizes[:, rows, columns]) * self.STRIDE
        top = (rows + offsets[0, rows, columns] + 0.5) * self.STRIDE - high / 2
        left = (columns + offsets[1, rows, columns] + 0.5) * self.STRIDE - wide / 2
        boxes = np.stack([left, top, wide, high], axis=1)
        points = landmarks[:, rows, columns]
        ys, xs = top + points[0::2] * high, left + points[1::2] * wide
        kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), self.LEAST_SCORE, self.OVERLAP)
        faces = []
        for k in map(int, np.asarray(kept).reshape(-1)):
            eyes = sorted((float(xs[eye, k] / scale), float(ys[eye, k] / scale)) for eye in (0, 1))
            x, y, w, h = (float(value / scale) for value in boxes[k])
            faces.append(Face((x, y, w, h), float(scores[k]), (eyes[0], eyes[1])))
        return surest_first(faces)
