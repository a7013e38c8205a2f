"""The reader contract: what every way of reading a clip promises."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import numpy as np

from benchmark.errors import BenchmarkError

# Part of a frame, such as a face: left, top, right and bottom in pixels.
Box = tuple[float, float, float, float]


class UnreadableClip(BenchmarkError):
    """A clip's frames are missing or damaged; the message says which file and how."""

    exit_code = 4


class FrameReader(Protocol):
    """An opened clip.

    Any choice of frames in any order, on a busy machine or an idle one, gives exactly those frames in the order in
    which they are shown. decoder: what decodes them, with its version.
    """

    decoder: str

    @property
    def count(self) -> int:
        """The number of frames that can be shown. Raises UnreadableClip where there is none."""

    def signature(self, thorough: bool = False) -> str:
        """Another text once the clip's files have changed; two clips never share one.

        Of a folder it notices frames that were added, removed, renamed or replaced, and new content in the first, the
        last or one of some frames between; `thorough` looks at every frame's size and time of change.
        """

    def read(self, indices: Iterable[int]) -> list[np.ndarray]:
        """Frames (H, W, 3), uint8 RGB, in the order of `indices`; every array is the caller's own.

        Raises UnreadableClip for a damaged file.
        """


def file_signature(path: Path) -> str:
    """A file's path, size and time of change."""
    status = path.stat()
    return f"{path.resolve()}|{status.st_size}:{status.st_mtime_ns}"


def owned(decoded: dict[int, np.ndarray], indices: Iterable[int]) -> list[np.ndarray]:
    """The frames in the order asked for; a repeated one is copied, because some transforms work in place."""
    given: set[int] = set()
    frames = []
    for index in map(int, indices):
        frames.append(decoded[index].copy() if index in given else decoded[index])
        given.add(index)
    return frames
