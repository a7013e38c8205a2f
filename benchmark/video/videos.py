"""Video files: decord where its seeking is exact, PyAV from the first frame on everywhere else.

Both give the same pixels: the picture upright as its rotation says, converted to RGB by the colour matrix and range
that the stream names, or by BT.601 where it names none.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmark.video.clip import FrameReader, UnreadableClip, file_signature, owned
from benchmark.video.streams import Stream, examine, opened, whole_packets

# Decoded frames that a reader keeps, so that going back a little does not mean to start again.
KEPT_BYTES = 64 * 2**20
_MOST_COUNTS = 100_000

# Frames that can be shown, by the signature of the file: counting them means decoding all of them.
_counts: dict[str, int] = {}


def open_video(path: Path) -> FrameReader:
    """A reader of the video file at `path`."""
    stream = examine(path)
    if stream.seekable:
        with contextlib.suppress(_Inexact):
            return SeekingVideo(path, stream)
    return SequentialVideo(path)


class SequentialVideo:
    """A video file decoded by PyAV from its first frame on; exact for every file, because it never seeks."""

    decoder = f"PyAV {av.__version__}"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._kept: OrderedDict[int, av.VideoFrame] = OrderedDict()
        self._kept_bytes = 0
        self._frames = _shown(path)
        self._next = 0

    def signature(self, thorough: bool = False) -> str:
        """Path, size and time of change."""
        return file_signature(self.path)

    def read(self, indices: Iterable[int]) -> list[np.ndarray]:
        """Frames (H, W, 3), uint8 RGB; fastest where they ascend, from one call to the next as well."""
        wanted = [int(index) for index in indices]
        return owned({index: _upright(self._frame(index)) for index in sorted(set(wanted))}, wanted)

    @functools.cached_property
    def count(self) -> int:
        """The number of frames that can be shown, which takes decoding all of them, once per process and file."""
        signature = self.signature()
        if signature not in _counts:
            while self._advance() is not None:
                pass
            if len(_counts) >= _MOST_COUNTS:
                _counts.clear()
            _counts[signature] = self._next
        if not _counts[signature]:
            raise UnreadableClip(f"{self.path}: holds no frame that can be shown")
        return _counts[signature]

    def _frame(self, index: int) -> av.VideoFrame:
        if not 0 <= index < self.count:
            raise IndexError(f"{self.path}: frame {index} of {self.count}")
        if index in self._kept:
            return self._kept[index]
        if index < self._next:
            self._frames, self._next = _shown(self.path), 0
        while True:
            frame = self._advance()
            if frame is None:
                raise UnreadableClip(f"{self.path}: changed while it was read")
            if self._next == index + 1:
                return frame

    def _advance(self) -> av.VideoFrame | None:
        """The next frame, which is kept; None after the last."""
        frame = next(self._frames, None)
        if frame is None:
            return None
        if self._next not in self._kept:
            self._kept[self._next] = frame
            self._kept_bytes += _bytes(frame)
            while self._kept_bytes > KEPT_BYTES and len(self._kept) > 1:
                self._kept_bytes -= _bytes(self._kept.popitem(last=False)[1])
        self._next += 1
        return frame


class SeekingVideo:
    """A video file that decord decodes, on one thread; raises `_Inexact` where decord sees other frames in it."""

    def __init__(self, path: Path, stream: Stream) -> None:
        self.path = path
        self._sequential: SequentialVideo | None = None
        with _decord(path) as decord:
            self.decoder = f"decord {decord.__version__}"
            self._reader = decord.VideoReader(str(path.absolute()), num_threads=1)
            times = self._reader.get_frame_timestamp(range(len(self._reader)))[:, 0]
        self.count = stream.packets
        if len(times) != self.count or not np.allclose(times, stream.times, rtol=0, atol=1e-3):
            raise _Inexact(path)

    def signature(self, thorough: bool = False) -> str:
        """Path, size and time of change."""
        return file_signature(self.path)

    def read(self, indices: Iterable[int]) -> list[np.ndarray]:
        """Frames (H, W, 3), uint8 RGB; a frame asked for twice is decoded once."""
        wanted = [int(index) for index in indices]
        if self._sequential is None:
            # One by one: get_batch can hang, holding the interpreter lock.
            with contextlib.suppress(_Inexact), _decord(self.path):
                return owned({index: _rgb(self._reader[index].asnumpy()) for index in sorted(set(wanted))}, wanted)
            # Whether a file is damaged is not for decord to say: it may have given up on a busy machine.
            self._sequential = SequentialVideo(self.path)
        return self._sequential.read(wanted)


class _Inexact(Exception):
    """Decord does not read the file, or not as its packets say."""


@contextlib.contextmanager
def _decord(path: Path) -> Iterator[Any]:
    # How often decord asks for the last frames before it gives up; its own number, whatever a library has set.
    os.environ["DECORD_EOF_RETRY_MAX"] = "10240"
    try:
        import decord
    except ImportError:
        raise _Inexact(path) from None
    decord.logging.set_level(decord.logging.QUIET)
    try:
        yield decord
    except (decord.DECORDError, RuntimeError, StopIteration):
        raise _Inexact(path) from None


def _shown(path: Path) -> Iterator[av.VideoFrame]:
    """The frames that can be shown, in their order: without those that are damaged, or that an edit list hides."""
    with opened(path) as (container, video):
        for packet in whole_packets(container, video):
            if packet.is_corrupt:
                continue
            # A packet that cannot be decoded shows nothing; those after it may.
            with contextlib.suppress(av.FFmpegError):
                yield from (frame for frame in packet.decode() if not frame.is_corrupt)


def _upright(frame: av.VideoFrame) -> np.ndarray:
    """The frame as (H, W, 3) uint8 RGB, turned as a player turns it."""
    image = frame.to_ndarray(format="rgb24")
    quarters = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, quarters)) if quarters else image


def _bytes(frame: av.VideoFrame) -> int:
    return sum(plane.buffer_size for plane in frame.planes)


def _rgb(frame: np.ndarray) -> np.ndarray:
    """The frame as (H, W, 3): of narrow videos decord takes the padding at the end of each row for a fourth channel."""
    if frame.shape[2] == 3:
        return frame
    height, width, _ = frame.shape
    return np.ascontiguousarray(frame.reshape(height, -1)[:, : 3 * width]).reshape(height, width, 3)
