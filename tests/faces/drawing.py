"""Drawn faces that a detector of real ones finds, at places that are known, and clips of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np

HEIGHT, WIDTH = 120, 160
# Skins that nobody takes for one another.
LIGHT, DARK = (224, 182, 150), (150, 100, 70)
# Left, top and side of the square that a drawn face fills.
Place = tuple[float, float, float]


def draw_face(frame: np.ndarray, place: Place, skin: tuple[int, int, int] = LIGHT) -> None:
    """Draw a frontal face into a frame (H, W, 3)."""
    x, y, side = place

    def at(u: float, v: float) -> tuple[int, int]:
        return round(x + u * side), round(y + v * side)

    def oval(u: float, v: float, wide: float, high: float, colour: tuple[int, int, int]) -> None:
        axes = max(round(wide * side), 1), max(round(high * side), 1)
        cv2.ellipse(frame, at(u, v), axes, 0, 0, 360, colour, -1, cv2.LINE_AA)

    def tinted(factor: float) -> tuple[int, int, int]:
        red, green, blue = (min(int(value * factor), 255) for value in skin)
        return red, green, blue

    oval(0.5, 0.42, 0.47, 0.55, (60, 45, 35))
    oval(0.5, 0.52, 0.4, 0.52, skin)
    for u in (0.32, 0.68):
        oval(u, 0.4, 0.13, 0.075, tinted(0.55))
        oval(u, 0.41, 0.075, 0.04, (240, 240, 240))
        oval(u, 0.41, 0.035, 0.035, (30, 25, 25))
        oval(u, 0.31, 0.13, 0.025, (50, 40, 35))
    oval(0.5, 0.5, 0.045, 0.16, tinted(1.08))
    oval(0.5, 0.66, 0.09, 0.025, tinted(0.8))
    oval(0.5, 0.8, 0.17, 0.045, (150, 60, 60))


def scene(*faces: tuple[Place, tuple[int, int, int]], wall: tuple[int, int, int] = (120, 150, 170)) -> np.ndarray:
    """A frame (HEIGHT, WIDTH, 3), uint8 RGB, with these faces."""
    frame = np.full((HEIGHT, WIDTH, 3), wall, np.uint8)
    for place, skin in faces:
        draw_face(frame, place, skin)
    return frame


def write_video(path: Path, frames: Sequence[np.ndarray]) -> Path:
    """Write frames as an MJPEG in AVI, whose bytes depend on the frames alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", 25, options={"qmin": "2", "qmax": "2"})
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuvj420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def walk(count: int, start: Place = (20, 20, 60), step: float = 2.0) -> list[Place]:
    """The places of a face that moves to the right."""
    return [(start[0] + step * index, start[1], start[2]) for index in range(count)]


def intersection_over_union(first: Sequence[float], second: Sequence[float]) -> float:
    """Of two boxes: left, top, width and height."""
    wide = min(first[0] + first[2], second[0] + second[2]) - max(first[0], second[0])
    high = min(first[1] + first[3], second[1] + second[3]) - max(first[1], second[1])
    shared = max(wide, 0) * max(high, 0)
    return shared / (first[2] * first[3] + second[2] * second[3] - shared)
