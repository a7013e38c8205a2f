"""How fast are the ways to read a clip? Prints clips per second, and each way's ratio to the first.

    python benchmarks/reading.py [--clips 40]

Reads 16 frames of synthetic 224x224 clips on one thread, from a warm disk: JPEG crops by OpenCV (what DFEW ships; the
baseline), the same clips as video files by decord and by OpenCV, and the frame cache of the small presets, opened anew
for every clip.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from tabulate import tabulate

from benchmark.datasets.synthetic.dfew import synthesize
from benchmark.specs import Sampling
from benchmark.video.cache import CachedFrames
from benchmark.video.frames import open_clip
from benchmark.video.sampling import sample_frames

SAMPLING = Sampling(clips=16)


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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=40)
    count = parser.parse_args().clips
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        root, cache = Path(folder) / "DFEW", Path(folder) / "cache"
        synthesize(root, count, 0, lambda done, total: None)
        crops = sorted((root / "Clip/clip_224x224").iterdir())
        videos = sorted((root / "Clip/original").iterdir())

        def by_cache(path: Path) -> list[np.ndarray]:
            cached = CachedFrames(open_clip(path), 40, cache)
            return cached.read(sample_frames(cached.count, SAMPLING, None))

        ways: dict[str, tuple[Callable[[Path], object], list[Path]]] = {
            "JPEG crops, OpenCV (baseline)": (by_reader, crops),
            "video file, decord": (by_reader, videos),
            "video file, OpenCV": (by_opencv, videos),
            "frame cache at 40x40": (by_cache, crops),
        }
        rates = {name: clips_per_second(read, paths) for name, (read, paths) in ways.items()}
    baseline = next(iter(rates.values()))
    rows = [[name, f"{rate:.0f}", f"{rate / baseline:.2f}"] for name, rate in rates.items()]
    print(tabulate(rows, headers=["16 frames of 224x224", "clips/s", "ratio"], disable_numparse=True))


if __name__ == "__main__":
    main()
