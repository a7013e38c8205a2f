"""Small videos whose frames carry their number, in the encodings that people's files have."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BITS, COLUMNS = 8, 4
CODECS = {
    "MPEG-4": ("mpeg4", None),
    "Xvid": ("mpeg4", "XVID"),
    "MPEG-2": ("mpeg2video", None),
    "H.264": ("libx264", None),
    "HEVC": ("libx265", None),
    "VP9": ("libvpx-vp9", None),
    "MJPEG": ("mjpeg", None),
    "MS-MPEG4": ("msmpeg4v3", None),
}
# Where each codec is legal, and whether it has frames that are stored in another order than they are shown.
CONTAINERS = {
    "MPEG-4": ("avi", "mkv", "mp4", "mov"),
    "Xvid": ("avi", "mkv"),
    "MPEG-2": ("avi", "mkv", "mp4", "mov", "mpg", "ts"),
    "H.264": ("avi", "mkv", "mp4", "mov", "ts", "flv"),
    "HEVC": ("mkv", "mp4", "mov"),
    "VP9": ("mkv", "mp4", "webm"),
    "MJPEG": ("avi", "mkv", "mov"),
    "MS-MPEG4": ("avi", "mkv"),
}
REORDERING = ("MPEG-4", "Xvid", "MPEG-2", "H.264", "HEVC")
GOPS = (6, 250)


@dataclass(frozen=True)
class Kind:
    """One kind of video file: a codec in a container, with so many B-frames and a key frame at least every `gop`."""

    codec: str
    container: str
    b_frames: int = 0
    gop: int = 6

    def __str__(self) -> str:
        return f"{self.codec}-{self.container}-b{self.b_frames}-gop{self.gop}"


def kinds() -> list[Kind]:
    """The whole matrix."""
    return [
        Kind(codec, container, b_frames, gop)
        for codec, containers in CONTAINERS.items()
        for container, b_frames, gop in itertools.product(containers, (0, 2, 3), GOPS)
        if b_frames == 0 or codec in REORDERING
    ]


def picture(number: int, width: int = 64, height: int = 48) -> np.ndarray:
    """A grey frame (H, W, 3) with a block for each bit of `number`, bright where it is set."""
    blocks = np.array([235 if number >> bit & 1 else 20 for bit in range(BITS)], np.uint8).reshape(-1, COLUMNS)
    rows, columns = np.arange(height) * len(blocks) // height, np.arange(width) * COLUMNS // width
    return np.repeat(blocks[rows][:, columns, None], 3, axis=2)


def number_of(frame: np.ndarray) -> int:
    """The number that a decoded frame carries."""
    height, width = frame.shape[:2]
    rows, columns = BITS // COLUMNS, COLUMNS
    middles = [
        frame[int((row + 0.5) * height / rows), int((column + 0.5) * width / columns)].mean()
        for row in range(rows)
        for column in range(columns)
    ]
    return sum(1 << bit for bit, level in enumerate(middles) if level > 128)


def numbers(frames: Iterable[np.ndarray]) -> list[int]:
    """The numbers of several frames."""
    return [number_of(frame) for frame in frames]


def draw(
    path: Path,
    codec: str = "H.264",
    frames: int = 20,
    b_frames: int = 0,
    gop: int = 6,
    size: tuple[int, int] = (64, 48),
    times: Sequence[int] | None = None,
    pixels: str | None = None,
    rotation: int = 0,
    pictures: Iterable[np.ndarray] | None = None,
) -> Path:
    """Write a video of numbered frames to `path`, 25 a second or at `times` (in 1/1000 s); its suffix is the container.

    rotation: degrees, clockwise, by which a player turns the picture.
    """
    encoder, tag = CODECS[codec]
    with av.open(str(path), "w") as output:
        stream = output.add_stream(encoder, rate=25, options=_options(encoder, b_frames))
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = pixels or ("yuvj420p" if encoder == "mjpeg" else "yuv420p")
        stream.bit_rate = 1_000_000
        stream.gop_size = gop
        if encoder != "libvpx-vp9":
            stream.codec_context.max_b_frames = b_frames
        if tag:
            stream.codec_tag = tag
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if rotation:
            stream.set_display_rotation(-rotation)
        for index, image in enumerate(pictures or (picture(number, *size) for number in range(frames))):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = index if times is None else times[index]
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def _options(encoder: str, b_frames: int) -> dict[str, str]:
    if encoder == "libx264":
        return {"preset": "ultrafast", "bf": str(b_frames), "b_adapt": "0"}
    if encoder == "libx265":
        return {"preset": "ultrafast", "x265-params": f"bframes={b_frames}:b-adapt=0:log-level=none"}
    if encoder == "libvpx-vp9":
        return {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
    return {"bf": str(b_frames)}


def copy_packets(source: Path, path: Path, start: float = 0.0) -> Path:
    """What `ffmpeg -ss START -i SOURCE -c copy PATH` does: the packets from the key frame at or before `start` on."""
    with av.open(str(source)) as opened, av.open(str(path), "w") as output:
        video = opened.streams.video[0]
        stream = output.add_stream_from_template(video)
        assert video.time_base
        offset = int(start / video.time_base)
        opened.seek(offset, stream=video)
        for packet in opened.demux(video):
            if packet.pts is None or packet.dts is None:
                continue
            packet.pts -= offset
            packet.dts -= offset
            packet.stream = stream
            output.mux(packet)
    return path
