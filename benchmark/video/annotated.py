"""Writing a video with what is seen in it drawn beside the pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from benchmark.files import replacing
from benchmark.video.clip import Box

# RGB. The bar of the most probable class differs in lightness as well as in colour.
PAPER, INK, BAR, BEST, EDGE = (24, 24, 24), (235, 235, 235), (86, 120, 150), (230, 159, 0), (70, 70, 70)
LINE, PANEL, SMALLEST = 26, 260, 320
FONT = cv2.FONT_HERSHEY_SIMPLEX
DEFAULT_RATE = Fraction(25)


def frame_rate(path: Path) -> Fraction | None:
    """Frames in a second of a video file; None for a folder of frames, an image, or a file that does not say."""
    if not path.is_file():
        return None
    try:
        with av.open(str(path)) as container:
            rate = container.streams.video[0].average_rate if container.streams.video else None
    except (av.FFmpegError, OSError):
        return None
    return rate if rate and 1 <= rate <= 1000 else None


def write_annotated(
    path: Path,
    frames: Iterable[np.ndarray],
    probabilities: np.ndarray,
    classes: Sequence[str],
    *,
    rate: Fraction | None = None,
    boxes: Sequence[Box | None] | None = None,
    caption: str = "",
) -> None:
    """Write an H.264 video of the frames, each beside a bar for every class; whole or not at all.

    frames: (H, W, 3), uint8 RGB, of any sizes: all are shown at the size of the first, at least 320 pixels high.
    probabilities: (F, K) in 0..1, one row for each frame, NaN where nothing was predicted. rate: frames in a second,
    by default 25. boxes: of each frame the face that was looked at. caption: a line below the bars.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, av.open(str(temporary), "w", format="mp4") as container:
        stream: av.VideoStream | None = None
        tall, wide = 0, 0
        for number, frame in enumerate(frames):
            if stream is None:
                tall = _even(max(SMALLEST, frame.shape[0], LINE * (len(classes) + 2)))
                wide = _even(frame.shape[1] * tall / frame.shape[0])
                stream = container.add_stream("libx264", rate=rate or DEFAULT_RATE, options={"crf": "20"})
                stream.width, stream.height, stream.pix_fmt = wide + PANEL, tall, "yuv420p"
            shown = _picture(frame, boxes[number] if boxes is not None else None, wide, tall)
            both = np.hstack([shown, _bars(probabilities[number], classes, caption, tall)])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(both, format="rgb24")))
        if stream is not None:
            container.mux(stream.encode(None))


def _picture(frame: np.ndarray, box: Box | None, wide: int, tall: int) -> np.ndarray:
    """The frame at this size, with its box."""
    smaller = tall < frame.shape[0]
    picture = cv2.resize(frame, (wide, tall), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
    if box is not None:
        across, down = wide / frame.shape[1], tall / frame.shape[0]
        first, second = (round(across * box[0]), round(down * box[1])), (round(across * box[2]), round(down * box[3]))
        cv2.rectangle(picture, first, second, (0, 0, 0), 4)
        cv2.rectangle(picture, first, second, (255, 255, 255), 2)
    return picture


def _bars(shares: np.ndarray, classes: Sequence[str], caption: str, tall: int) -> np.ndarray:
    panel = np.full((tall, PANEL, 3), PAPER, dtype=np.uint8)
    known = not np.isnan(shares).any()
    best = int(shares.argmax()) if known else -1
    left, right = 112, PANEL - 52
    for k, name in enumerate(classes):
        top = LINE * k + 12
        ink = BEST if k == best else INK
        cv2.putText(panel, _ascii(name)[:13], (8, top + 14), FONT, 0.45, ink, 1, cv2.LINE_AA)
        cv2.rectangle(panel, (left, top + 2), (right, top + 16), EDGE, 1)
        if known:
            end = left + round(float(shares[k]) * (right - left))
            cv2.rectangle(panel, (left, top + 2), (end, top + 16), BEST if k == best else BAR, cv2.FILLED)
            cv2.putText(panel, f"{100 * shares[k]:3.0f} %", (right + 6, top + 14), FONT, 0.4, ink, 1, cv2.LINE_AA)
    if caption:
        cv2.putText(panel, _ascii(caption)[:36], (8, tall - 10), FONT, 0.38, INK, 1, cv2.LINE_AA)
    return panel


def _ascii(text: str) -> str:
    """OpenCV's font has no other letters."""
    return text.encode("ascii", "replace").decode()


def _even(length: float) -> int:
    return max(2, 2 * round(length / 2))
