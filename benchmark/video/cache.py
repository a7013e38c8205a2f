"""The frame cache: a clip decoded and resized once, then read from a memory-mapped uint8 array.

Exact, because the pixels do not depend on who asks: it is used only where a preset fixes the size at which frames are
decoded. A changed file gets a new key. Deleting the folder is always safe.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from benchmark.files import replacing
from benchmark.video.frames import FrameReader, open_clip


def cache_folder() -> Path:
    """`$BENCHMARK_CACHE`, or `benchmark` in the user's cache folder."""
    configured = os.environ.get("BENCHMARK_CACHE")
    if configured:
        return Path(configured)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dfer-benchmark"


@functools.lru_cache(maxsize=4096)
def open_cached(path: Path, size: int, folder: Path) -> CachedFrames:
    """The clip at `path` through the cache; opened once per process, so that an epoch does not look at its files."""
    return CachedFrames(open_clip(path), size, folder)


class CachedFrames:
    """A reader whose frames are `size` x `size`, kept under `folder`."""

    def __init__(self, reader: FrameReader, size: int, folder: Path) -> None:
        self.reader = reader
        self.size = size
        self.count = reader.count
        key = hashlib.sha256(f"{reader.signature()}@{size}".encode()).hexdigest()
        self._frames: np.ndarray | None = None
        self._path = folder / key[:2] / f"{key}.npy"

    def signature(self) -> str:
        """The underlying clip's signature and the size."""
        return f"{self.reader.signature()}@{self.size}"

    def read(self, indices: Iterable[int]) -> list[np.ndarray]:
        """Frames (size, size, 3), uint8 RGB."""
        if self._frames is None:
            self._frames = self._load()
        # Copies, because transforms such as flipping work in place.
        return [np.array(self._frames[int(index)]) for index in indices]

    def _load(self) -> np.ndarray:
        try:
            return np.load(self._path, mmap_mode="r")
        except (OSError, ValueError):
            frames = np.stack([resize(frame, self.size) for frame in self.reader.read(range(self.count))])
        try:
            with replacing(self._path) as temporary, open(temporary, "wb") as file:
                np.save(file, frames)
        except OSError:
            # A full or read-only disk costs speed, not the run.
            return frames
        return frames


def resize(frame: np.ndarray, size: int) -> np.ndarray:
    """The frame at `size` x `size`, averaged over area when shrinking so that thin lines survive."""
    interpolation = cv2.INTER_AREA if frame.shape[0] > size else cv2.INTER_LINEAR
    return cv2.resize(frame, (size, size), interpolation=interpolation)
