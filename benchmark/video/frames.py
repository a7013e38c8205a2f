"""Reading frames: folders of JPEGs and single images through OpenCV, videos through decord; always uint8 RGB."""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from benchmark.errors import BenchmarkError
from benchmark.files import read_bounded

VIDEO_SUFFIXES = (".mp4", ".avi", ".mkv", ".webm", ".mov")
JPEG_SUFFIXES = (".jpg", ".jpeg")
# AffectNet's images, as collected from the web, come in all of these.
IMAGE_SUFFIXES = (*JPEG_SUFFIXES, ".png", ".bmp", ".tif", ".tiff")
MOST_IMAGE = 64 * 2**20
_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"


class UnreadableClip(BenchmarkError):
    """A clip's frames are missing or damaged; the message says which file and how."""

    exit_code = 4


class FrameReader(Protocol):
    """An opened clip."""

    count: int

    def signature(self) -> str:
        """Changes whenever a file of the clip changes; two clips never share one."""

    def read(self, indices: Iterable[int]) -> list[np.ndarray]:
        """Frames (H, W, 3), uint8 RGB, in the order of `indices`; every array is the caller's own."""


def open_clip(path: Path) -> FrameReader:
    """A reader for a folder of JPEGs, a video file or a single image."""
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return VideoFile(path)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return ImageFile(path)
    return JpegFolder(path)


@functools.lru_cache(maxsize=256)
def open_numbered(path: Path) -> JpegFolder:
    """The folder of JPEGs at `path`, listed once per process: a video's many windows share its thousands of files."""
    return JpegFolder(path)


class JpegFolder:
    """A folder whose sorted `*.jpg` are the frames."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with os.scandir(path) as entries:
                self._files = sorted(
                    ((e.name, e.stat()) for e in entries if e.name.lower().endswith(JPEG_SUFFIXES)),
                    key=lambda item: item[0],
                )
        except (FileNotFoundError, NotADirectoryError):
            raise UnreadableClip(f"{path}: no such folder of frames") from None
        if not self._files:
            raise UnreadableClip(f"{path}: holds no JPEG")
        self.count = len(self._files)

    def signature(self) -> str:
        """Path, and every file's name, size and time of change."""
        return f"{self.path.resolve()}|" + "|".join(f"{n}:{s.st_size}:{s.st_mtime_ns}" for n, s in self._files)

    def read(self, indices: Iterable[int]) -> list[np.ndarray]:
        """Frames (H, W, 3), uint8 RGB; a frame asked for twice is decoded once."""
        decoded = {index: _decode(self.path / self._files[index][0]) for index in {int(i) for i in indices}}
        return _owned(decoded, indices)

    def numbers(self) -> np.ndarray:
        """The frames' numbers (count,), int64, ascending: the last digits of a name, 12 for `00001_00012.jpg`."""
        return self._numbers

    @functools.cached_property
    def _numbers(self) -> np.ndarray:
        numbers = np.array([self._number(name) for name, _ in self._files], np.int64)
        wrong = np.flatnonzero(np.diff(numbers) <= 0)
        if wrong.size:
            first, second = (self._files[int(wrong[0]) + step][0] for step in (0, 1))
            raise UnreadableClip(
                f"{self.path}: {second} follows {first} by name but not by number; "
                "pad the numbers with zeros to one length"
            )
        # Shared by all who ask.
        numbers.flags.writeable = False
        return numbers

    def _number(self, name: str) -> int:
        match = re.search(r"(\d{1,18})\D*$", Path(name).stem)
        if match is None:
            raise UnreadableClip(f"{self.path / name}: no frame number in the file's name")
        return int(match[1])


class ImageFile:
    """A single image: a clip of one frame."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise UnreadableClip(f"{path}: no such image")
        self.path = path
        self.count = 1

    def signature(self) -> str:
        """Path, size and time of change."""
        return _file_signature(self.path)

    def read(self, indices: Iterable[int]) -> list[np.ndarray]:
        """The frame (H, W, 3), uint8 RGB, once for every index; a grey image has three equal channels."""
        return _owned({0: _decode(self.path)}, indices)


def _decode(path: Path) -> np.ndarray:
    data = read_bounded(path, MOST_IMAGE)
    # Not by the suffix alone: images from the web may be of another format than their names say.
    jpeg = data.startswith(_JPEG_START) if data else path.suffix.lower() in JPEG_SUFFIXES
    # OpenCV fills the missing part of a truncated JPEG with grey and says nothing.
    if jpeg and _JPEG_END not in data[-64:]:
        raise UnreadableClip(f"{path}: truncated JPEG ({len(data)} bytes, no end marker)")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error as error:
        # Such as more pixels than are decoded, see `benchmark/__init__.py`.
        raise UnreadableClip(f"{path}: OpenCV cannot decode it: {str(error).splitlines()[0][:160]}") from None
    if image is None:
        raise UnreadableClip(f"{path}: not an image that OpenCV can decode ({len(data)} bytes)")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


class VideoFile:
    """A video file decoded by decord on one thread."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise UnreadableClip(f"{path}: no such video file")
        # decord retries 10,240 times at a damaged end of file; a few tell the same.
        os.environ.setdefault("DECORD_EOF_RETRY_MAX", "64")
        import decord

        decord.logging.set_level(decord.logging.QUIET)
        self.path = path
        with _decord_errors(path):
            self._reader = decord.VideoReader(str(path), num_threads=1)
        self.count = len(self._reader)
        if not self.count:
            raise UnreadableClip(f"{path}: holds no frame")

    def signature(self) -> str:
        """Path, size and time of change."""
        return _file_signature(self.path)

    def read(self, indices: Iterable[int]) -> list[np.ndarray]:
        """Frames (H, W, 3), uint8 RGB; a frame asked for twice is decoded once."""
        # One by one: get_batch can hang, holding the interpreter lock, when a file promises more frames than it has.
        with _decord_errors(self.path):
            decoded = {index: _rgb(self._reader[index].asnumpy()) for index in sorted({int(i) for i in indices})}
        return _owned(decoded, indices)


def _rgb(frame: np.ndarray) -> np.ndarray:
    """The frame as (H, W, 3): of narrow videos decord takes the padding at the end of each row for a fourth channel."""
    if frame.shape[2] == 3:
        return frame
    height, width, _ = frame.shape
    return np.ascontiguousarray(frame.reshape(height, -1)[:, : 3 * width]).reshape(height, width, 3)


def _file_signature(path: Path) -> str:
    status = path.stat()
    return f"{path.resolve()}|{status.st_size}:{status.st_mtime_ns}"


def _owned(decoded: dict[int, np.ndarray], indices: Iterable[int]) -> list[np.ndarray]:
    """The frames in the order asked for; a repeated one is copied, because some transforms work in place."""
    frames = [decoded[int(index)] for index in indices]
    return [frame.copy() if any(frame is other for other in frames[:n]) else frame for n, frame in enumerate(frames)]


@contextlib.contextmanager
def _decord_errors(path: Path) -> Iterator[None]:
    import decord

    try:
        yield
    except (decord.DECORDError, RuntimeError, IndexError, StopIteration) as error:
        reason = str(error).strip().splitlines() or ["damaged"]
        raise UnreadableClip(f"{path}: decord cannot read it: {reason[-1][:160]}") from None
