"""Folders whose images are the frames of a clip, in the order of the numbers in their names."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmark.files import is_clutter
from benchmark.video.clip import UnreadableClip, owned
from benchmark.video.images import DECODER, decode_image
from benchmark.video.names import IMAGE_SUFFIXES, JPEG_SUFFIXES

# Frames of a folder whose size and time of change stand in its signature.
_WATCHED = 8


class FrameFolder:
    """A folder of images, numbered 1, 2, ... 10 or 00001, 00002, ...: its frames."""

    decoder = DECODER

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._names = frame_names(path)
        except (FileNotFoundError, NotADirectoryError):
            raise UnreadableClip(f"{path}: no such folder of frames") from None
        if not self._names:
            raise UnreadableClip(f"{path}: holds no image ({', '.join(IMAGE_SUFFIXES)})")
        self.count = len(self._names)

    @property
    def files(self) -> list[Path]:
        """The frames' files, in their order."""
        return [self.path / name for name in self._names]

    def signature(self, thorough: bool = False) -> str:
        """Path, names and the folder's time of change; size and time of change of some frames, or of every one."""
        watched = np.linspace(0, self.count - 1, self.count if thorough else min(_WATCHED, self.count)).astype(int)
        statuses = [(self.path / self._names[index]).stat() for index in watched]
        facts = "|".join(f"{status.st_size}:{status.st_mtime_ns}" for status in statuses)
        return f"{self.path.resolve()}|{self.path.stat().st_mtime_ns}|{'/'.join(self._names)}|{facts}"

    def read(self, indices: Iterable[int]) -> list[np.ndarray]:
        """Frames (H, W, 3), uint8 RGB; a frame asked for twice is decoded once."""
        wanted = [int(index) for index in indices]
        return owned({index: decode_image(self.path / self._names[index]) for index in set(wanted)}, wanted)

    def numbers(self) -> np.ndarray:
        """The frames' numbers (count,), int64, ascending: the last digits of a name, 12 for `00001_00012.jpg`."""
        return self._numbers

    @functools.cached_property
    def _numbers(self) -> np.ndarray:
        numbers = np.array([self._number(name) for name in self._names], np.int64)
        wrong = np.flatnonzero(np.diff(numbers) <= 0)
        if wrong.size:
            first, second = (self._names[int(wrong[0]) + step] for step in (0, 1))
            raise UnreadableClip(
                f"{self.path}: {second} follows {first} by name but not by number; keep one frame for each number"
            )
        # Shared by all who ask.
        numbers.flags.writeable = False
        return numbers

    def _number(self, name: str) -> int:
        match = re.search(r"([0-9]{1,18})[^0-9]*$", Path(name).stem)
        if match is None:
            raise UnreadableClip(f"{self.path / name}: no frame number in the file's name")
        return int(match[1])


def frame_names(folder: Path) -> list[str]:
    """The names of the frames in a folder, in their order; empty for a folder without frames.

    JPEGs, where there are any: an image of another format beside them is a preview or a plot. Raises UnreadableClip
    where other formats are mixed, since then which of them are the frames cannot be known.
    """
    with os.scandir(folder) as entries:
        images = [
            entry.name
            for entry in entries
            if entry.name.lower().endswith(IMAGE_SUFFIXES) and not is_clutter(entry.name) and entry.is_file()
        ]
    frames = [name for name in images if name.lower().endswith(JPEG_SUFFIXES)] or images
    suffixes = {os.path.splitext(name)[1].lower() for name in frames} - set(JPEG_SUFFIXES)
    if len(suffixes) > 1:
        raise UnreadableClip(f"{folder}: holds images of several formats ({', '.join(sorted(suffixes))}); keep one")
    return sorted(frames, key=_natural)


def _natural(name: str) -> tuple[list[tuple[str, int]], str]:
    """A key that sorts 2 before 10: text and number in turn; equal ones (1 and 01) by their names."""
    parts = re.split(r"([0-9]+)", name)
    return [(text, int(digits or -1)) for text, digits in zip(parts[::2], [*parts[1::2], ""], strict=True)], name
