"""How fast are the ways to read a clip, and what does exactness cost? Prints clips per second, and ratios.

    python timings/reading.py [--clips 40]

Reads 16 frames of synthetic 224x224 clips on one thread, from a warm disk. First table: JPEG crops by OpenCV (what
DFEW ships; the baseline), the same clips as video files by this project's reader, by decord alone and by OpenCV, and
the frame cache of the small presets, opened anew for every clip. Second table: the crops in each encoding, as this
project reads them, beside decord alone (the baseline of each row), and how many of decord's frames are not the ones
that were asked for.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import av
import cv2
import decord
import numpy as np
from tabulate import tabulate

from benchmark.datasets.synthetic.dfew import synthesize
from benchmark.specs import Sampling
from benchmark.video.cache import CachedFrames
from benchmark.video.frames import open_clip
from benchmark.video.sampling import sample_frames
from benchmark.video.videos import SequentialVideo

SAMPLING = Sampling(clips=16)
# Clips that are encoded in each way.
ENCODED = 6
# Name, encoder, container, B-frames, and the most frames from one key frame to the next.
ENCODINGS = (
    ("MPEG-4, avi", "mpeg4", "avi", 0, 12),
    ("MPEG-4, avi, 2 B-frames", "mpeg4", "avi", 2, 12),
    ("MPEG-2, mpg, 2 B-frames", "mpeg2video", "mpg", 2, 12),
    ("H.264, mp4", "libx264", "mp4", 0, 250),
    ("H.264, mp4, 3 B-frames", "libx264", "mp4", 3, 250),
    ("H.264, mp4, 3 B-frames, short GOP", "libx264", "mp4", 3, 12),
    ("HEVC, mp4, 3 B-frames", "libx265", "mp4", 3, 250),
    ("VP9, webm", "libvpx-vp9", "webm", 0, 128),
    ("MJPEG, avi", "mjpeg", "avi", 0, 1),
)


def by_opencv(path: Path) -> list[np.ndarray]:
    """Sixteen frames of a video file, decoded from the start as OpenCV does it."""
    capture = cv2.VideoCapture(str(path))
    wanted = sample_frames(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), SAMPLING, None).tolist()
    frames = {}
    for index in range(wanted[-1] + 1):
        capture.grab()
        if index in wanted:
            frames[index] = cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB)
    return [frames[index] for index in wanted]


def by_decord(path: Path) -> list[np.ndarray]:
    """Sixteen frames of a video file as decord gives them, sought one by one."""
    reader = decord.VideoReader(str(path), num_threads=1)
    return [reader[index].asnumpy() for index in sample_frames(len(reader), SAMPLING, None).tolist()]


def by_reader(path: Path) -> list[np.ndarray]:
    """Sixteen frames as a training run reads them."""
    reader = open_clip(path)
    return reader.read(sample_frames(reader.count, SAMPLING, None))


def clips_per_second(read: Callable[[Path], object], paths: list[Path]) -> float:
    """Median of five passes over the clips, after one that warms the disk cache."""
    rates = []
    for _ in range(6):
        began = time.perf_counter()
        for path in paths:
            read(path)
        rates.append(len(paths) / (time.perf_counter() - began))
    return float(np.median(rates[1:]))


def encode(path: Path, frames: Sequence[np.ndarray], encoder: str, b_frames: int, gop: int) -> Path:
    """Write RGB frames as a video."""
    options = {"bf": str(b_frames)} if encoder != "libvpx-vp9" else {"deadline": "realtime", "lag-in-frames": "0"}
    if encoder == "libx265":
        options = {"x265-params": f"bframes={b_frames}:log-level=none"}
    with av.open(str(path), "w") as output:
        stream = cast(av.VideoStream, output.add_stream(encoder, rate=25, options=options))
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuvj420p" if encoder == "mjpeg" else "yuv420p"
        stream.bit_rate, stream.gop_size = 1_000_000, gop
        if encoder != "libvpx-vp9":
            stream.codec_context.max_b_frames = b_frames
        for frame in frames:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        output.mux(stream.encode(None))
    return path


def wrong_frames(path: Path) -> int:
    """How many of decord's sixteen frames are not those that decoding in sequence gives."""
    reader = SequentialVideo(path)
    expected = reader.read(sample_frames(reader.count, SAMPLING, None))
    return sum(not np.array_equal(*pair) for pair in zip(by_decord(path), expected, strict=True))


def exactness(clips: Sequence[Sequence[np.ndarray]], folder: Path) -> list[list[str]]:
    """One row for each encoding: this project's reader beside decord alone."""
    rows = []
    for name, encoder, container, b_frames, gop in ENCODINGS:
        place = folder / encoder / f"{container}-{b_frames}-{gop}"
        place.mkdir(parents=True)
        paths = [
            encode(place / f"{number}.{container}", frames, encoder, b_frames, gop)
            for number, frames in enumerate(clips)
        ]
        alone, exact = clips_per_second(by_decord, paths), clips_per_second(by_reader, paths)
        wrong = sum(map(wrong_frames, paths))
        reader = open_clip(paths[0]).decoder
        rows.append(
            [name, reader, f"{exact:.0f}", f"{alone:.0f}", f"{exact / alone:.2f}", f"{wrong}/{16 * len(paths)}"]
        )
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=40)
    count = parser.parse_args().clips
    cv2.setNumThreads(1)
    # Or decord says of every file anew that it gives copies instead of frames.
    os.environ["DECORD_DUPLICATE_WARNING_THRESHOLD"] = "1.0"
    with tempfile.TemporaryDirectory() as folder:
        root, cache = Path(folder) / "DFEW", Path(folder) / "cache"
        synthesize(root, count, 0, lambda done, total: None)
        crops = sorted((root / "Clip/clip_224x224").iterdir())
        videos = sorted((root / "Clip/original").iterdir())

        def by_cache(path: Path) -> list[np.ndarray]:
            cached = CachedFrames(path, 40, cache)
            return cached.read(sample_frames(cached.count, SAMPLING, None))

        ways: dict[str, tuple[Callable[[Path], object], list[Path]]] = {
            "JPEG crops, OpenCV (baseline)": (by_reader, crops),
            "video file, this project's reader": (by_reader, videos),
            "video file, decord alone": (by_decord, videos),
            "video file, OpenCV": (by_opencv, videos),
            "frame cache at 40x40": (by_cache, crops),
        }
        rates = {name: clips_per_second(read, paths) for name, (read, paths) in ways.items()}
        chosen = [open_clip(path) for path in crops[:ENCODED]]
        costs = exactness([reader.read(range(reader.count)) for reader in chosen], Path(folder) / "encoded")
    baseline = next(iter(rates.values()))
    rows = [[name, f"{rate:.0f}", f"{rate / baseline:.2f}"] for name, rate in rates.items()]
    print(tabulate(rows, headers=["16 frames of 224x224", "clips/s", "ratio"], disable_numparse=True))
    print()
    headers = ["16 frames of 224x224", "read by", "clips/s", "decord alone", "ratio", "decord's wrong frames"]
    print(tabulate(costs, headers=headers, disable_numparse=True))


if __name__ == "__main__":
    main()
