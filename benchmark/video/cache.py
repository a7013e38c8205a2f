"""The frame cache: a clip decoded and resized once, then read from a memory-mapped uint8 array.

Exact, because the pixels do not depend on who asks: it is used only where a preset fixes the size at which frames are
decoded. A file's key is its clip's signature, the size, and what decoded it, so that a changed clip or another decoder
gets a new one. Deleting the folder is always safe.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmark.errors import UsageError
from benchmark.files import replacing
from benchmark.video.clip import FrameReader, UnreadableClip
from benchmark.video.frames import open_clip

LIMIT = "BENCHMARK_CACHE_LIMIT"
# Raised when a clip's frames would be resized to other pixels.
_RECIPE = 2
# Clips whose frames are counted to say how large the cache will be.
_COUNTED = 50
# Holds the bytes that the cache has taken.
_USED = ".used"


def cache_folder() -> Path:
    """`$BENCHMARK_CACHE`, or `benchmark` in the user's cache folder."""
    configured = os.environ.get("BENCHMARK_CACHE")
    if configured:
        return Path(configured)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dfer-benchmark"


@functools.lru_cache(maxsize=4096)
def open_cached(path: Path, size: int, folder: Path) -> CachedFrames:
    """The clip at `path` through the cache; opened once per process, so that an epoch does not look at its files."""
    return CachedFrames(path, size, folder)


class CachedFrames:
    """A clip's frames at `size` x `size`, kept under `folder` as long as there is room; never in memory."""

    def __init__(self, path: Path, size: int, folder: Path) -> None:
        reader = open_clip(path)
        self.path = path
        self.size = size
        self.decoder = reader.decoder
        self._signature = f"{reader.signature()}@{size}|{reader.decoder}|{_RECIPE}"
        key = hashlib.sha256(self._signature.encode(errors="surrogateescape")).hexdigest()
        self._folder = folder
        self._file = folder / key[:2] / f"{key}.npy"
        self._frames = self._mapped()
        self._without = False
        # Counting a video's frames may mean decoding them.
        self.count = reader.count if self._frames is None else len(self._frames)

    def signature(self, thorough: bool = False) -> str:
        """The underlying clip's signature, the size and the decoder."""
        return self._signature

    def read(self, indices: Iterable[int]) -> list[np.ndarray]:
        """Frames (size, size, 3), uint8 RGB."""
        wanted = [int(index) for index in indices]
        if self._frames is None:
            self._frames = self._load()
        if self._frames is None:
            return [resize(frame, self.size) for frame in open_clip(self.path).read(wanted)]
        # Copies, because transforms such as flipping work in place.
        return [np.array(self._frames[index]) for index in wanted]

    def _load(self) -> np.ndarray | None:
        """The file's frames, mapped into memory; written first where it is not there, None where it cannot be."""
        if self._without:
            return None
        frames = self._mapped()
        if frames is None:
            size = self.count * _bytes_per_frame(self.size)
            # A full or read-only disk costs speed, not the run.
            with contextlib.suppress(OSError), _room(self._folder, size), replacing(self._file) as temporary:
                _write(temporary, open_clip(self.path), self.size)
            frames = self._mapped()
            self._without = frames is None
        return frames

    def _mapped(self) -> np.ndarray | None:
        with contextlib.suppress(OSError, ValueError):
            frames = np.lib.format.open_memmap(self._file, mode="r")
            if len(frames) and frames.shape[1:] == (self.size, self.size, 3) and frames.dtype == np.uint8:
                return frames
        return None


def resize(frame: np.ndarray, size: int) -> np.ndarray:
    """The frame at `size` x `size`, averaged over area when shrinking so that thin lines survive."""
    interpolation = cv2.INTER_AREA if frame.shape[0] > size else cv2.INTER_LINEAR
    return cv2.resize(frame, (size, size), interpolation=interpolation)


@dataclass(frozen=True)
class CachePlan:
    """What a run will write to the frame cache, in bytes: the whole of its clips (estimated), and the most it may."""

    folder: Path
    clips: int
    expected: int
    limit: int

    def __str__(self) -> str:
        full = " (what does not fit is decoded again in each epoch)" if self.expected > self.limit else ""
        return (
            f"frame cache: the {self.clips:,} clips take about {_readable(self.expected)} in {self.folder}, of at most "
            f"{_readable(self.limit)}{full}; BENCHMARK_CACHE puts it elsewhere, {LIMIT} limits it"
        )


def plan_cache(paths: Sequence[Path], size: int, folder: Path) -> CachePlan:
    """What caching the clips at `paths` at `size` x `size` will take; a few of them are opened for it."""
    chosen = paths[:: max(len(paths) // _COUNTED, 1)]
    counts = []
    for path in chosen:
        with contextlib.suppress(UnreadableClip):
            counts.append(open_clip(path).count)
    expected = round(float(np.mean(counts or [0])) * len(paths) * _bytes_per_frame(size))
    used = _measure(folder)
    # Somebody may have deleted files since they were counted.
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        with _counting(folder) as counted:
            counted[0] = used
    return CachePlan(folder, len(paths), expected, cache_limit(folder, used))


def cache_limit(folder: Path, used: int) -> int:
    """Bytes that the frame cache may take: `$BENCHMARK_CACHE_LIMIT` GiB, or half of what would be free without it.

    used: the bytes that it takes now.
    """
    configured = os.environ.get(LIMIT)
    if configured:
        try:
            limit = float(configured)
        except ValueError:
            limit = -1.0
        if not 0 <= limit < float("inf"):
            raise UsageError(f"{LIMIT}={configured}: give the most that the frame cache may take, in GiB, such as 20")
        return int(limit * 2**30)
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    return (shutil.disk_usage(existing).free + used) // 2


@contextlib.contextmanager
def _room(folder: Path, size: int) -> Iterator[None]:
    """Count `size` bytes as taken while they are written, and after; OSError where the limit leaves no room for them.

    All processes count together, in a file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _counting(folder) as used:
        if used[0] + size > cache_limit(folder, used[0]):
            raise OSError(errno.EDQUOT, "the frame cache is full")
        used[0] += size
    try:
        yield
    except BaseException:
        with _counting(folder) as used:
            used[0] -= size
        raise


@contextlib.contextmanager
def _counting(folder: Path) -> Iterator[list[int]]:
    """The bytes that the cache has taken, to be changed in place; no other process changes them meanwhile."""
    with open(folder / _USED, "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        text = file.read()
        used = [int(text) if text.isdecimal() else _measure(folder)]
        yield used
        file.truncate(0)
        file.write(str(used[0]))


def _measure(folder: Path) -> int:
    used = 0
    for path in folder.glob("*/*.npy"):
        with contextlib.suppress(FileNotFoundError):
            used += path.stat().st_size
    return used


def _write(path: Path, reader: FrameReader, size: int) -> None:
    """Write the reader's frames one by one: a long clip need not fit into memory."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (reader.count, size, size, 3)}
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for index in range(reader.count):
            file.write(resize(reader.read([index])[0], size).tobytes())


def _bytes_per_frame(size: int) -> int:
    return size * size * 3


def _readable(size: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"
