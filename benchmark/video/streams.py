"""What a video file says of itself, before anything is decoded: its stream, and whether seeking in it is exact."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av

from benchmark.video.clip import UnreadableClip

# Containers, as FFmpeg calls them. Without such a list it takes a text for a drawing and a playlist for orders.
CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,asf,mpeg,mpegts,mpegvideo,m4v,h264,hevc,h263,mjpeg,ivf,ogg,gif,"
    "rm,dv,mxf,nut,wtv,swf,vob"
)
# Where decord's seeking was exact in every file that was measured (tests/video/test_matrix.py): these containers and
# codecs, if no frame is stored before one that is shown earlier, and the picture is 4:2:0 of even size.
_SEEKABLE_CONTAINERS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi")
_SEEKABLE_CODECS = ("mpeg4", "h264", "hevc", "vp9", "mjpeg", "msmpeg4v1", "msmpeg4v2", "msmpeg4")
_SEEKABLE_PIXELS = ("yuv420p", "yuvj420p")
# How the text begins that stands in the place of a file where Git LFS is missing.
_LFS_POINTER = b"version https://git-lfs"
# A smaller MPEG-4 packet may stand for a frame that was left out.
_LEAST_MPEG4 = 8


@dataclass(frozen=True)
class Stream:
    """The video stream of a file.

    packets: how many hold a frame that is to be shown, whole. promised: how many frames there should be, as the
    container says or, where it does not, as damaged packets show; None if neither. seekable: whether frames may be
    reached by seeking; times: when each is shown, in seconds, if so.
    """

    container: str
    codec: str
    packets: int
    promised: int | None
    seekable: bool
    times: tuple[float, ...]


@dataclass(frozen=True)
class _Packet:
    shown: int | None
    stored: int | None
    key: bool
    hidden: bool
    damaged: bool
    size: int


def examine(path: Path) -> Stream:
    """Read every packet's header, once per process for a file that does not change. Raises UnreadableClip."""
    try:
        status = path.stat()
    except OSError:
        raise UnreadableClip(f"{path}: no such video file") from None
    return _examine(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=4096)
def _examine(path: Path, size: int, changed: int) -> Stream:
    with opened(path) as (container, video):
        packets = [
            _Packet(packet.pts, packet.dts, packet.is_keyframe, packet.is_discard, packet.is_corrupt, packet.size)
            for packet in whole_packets(container, video)
            if packet.size
        ]
        shown = [packet for packet in packets if not packet.hidden and not packet.damaged]
        promised = _promised(container, video, packets)
        codec = video.codec_context
        seekable = (
            container.format.name in _SEEKABLE_CONTAINERS
            and codec.name in _SEEKABLE_CODECS
            and codec.pix_fmt in _SEEKABLE_PIXELS
            and not codec.width % 2
            and not codec.height % 2
            and not codec.has_b_frames
            and promised in (None, len(shown))
            and _in_order(packets)
            and not (codec.name == "mpeg4" and any(packet.size < _LEAST_MPEG4 for packet in packets))
        )
        base = video.time_base or 0
        times = tuple(float(packet.shown * base) for packet in shown if packet.shown is not None) if seekable else ()
        return Stream(container.format.name, codec.name, len(shown), promised, seekable, times)


def _in_order(packets: Sequence[_Packet]) -> bool:
    """Whether frames are stored as they are shown, each at the time at which it is, with a key frame first."""
    times = [packet.shown for packet in packets]
    return (
        bool(packets)
        and packets[0].key
        and all(packet.shown == packet.stored for packet in packets)
        and not any(packet.hidden or packet.damaged or packet.shown is None for packet in packets)
        and all(before < after for before, after in itertools.pairwise(times))  # type: ignore[operator]
    )


def _promised(container: av.container.InputContainer, video: av.VideoStream, packets: Sequence[_Packet]) -> int | None:
    """How many frames the container says there are to be shown; None where it does not say."""
    if video.frames:
        return video.frames - sum(packet.hidden for packet in packets)
    # Matroska says how long the stream is; a frame more or less is a matter of rounding.
    length = _seconds(video.metadata.get("DURATION", "")) if container.format.name.startswith("matroska") else None
    times = sorted(packet.shown for packet in packets if packet.shown is not None and not packet.damaged)
    if not length or len(times) < 2 or video.time_base is None:
        hidden_or_whole = all(packet.hidden or not packet.damaged for packet in packets)
        return None if hidden_or_whole else sum(not packet.hidden for packet in packets)
    interval = float((times[-1] - times[0]) * video.time_base) / (len(times) - 1)
    missing = length - float(times[-1] * video.time_base) - interval
    return len(times) + (int(missing / interval) if missing > 1.5 * interval else 0)


def _seconds(text: str) -> float | None:
    with contextlib.suppress(ValueError):
        hours, minutes, seconds = text.split(":")
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    return None


@contextlib.contextmanager
def opened(path: Path) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """A video file and its video stream, to be decoded on one thread. Raises UnreadableClip."""
    if not path.is_file():
        raise UnreadableClip(f"{path}: no such video file")
    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file"}
    try:
        container = av.open(f"file:{os.path.abspath(path)}", options=options, metadata_errors="replace")
    except (av.FFmpegError, ValueError) as error:
        _refuse_pointer(path)
        raise UnreadableClip(f"{path}: not a video that can be read: {_reason(error)}") from None
    with container:
        videos = [video for video in container.streams.video if video.codec_context is not None]
        pictures = [video for video in videos if not video.disposition & av.stream.Disposition.attached_pic]
        if not pictures:
            raise UnreadableClip(f"{path}: holds no video")
        best = container.streams.best("video")
        video = best if best in pictures else pictures[0]
        assert isinstance(video, av.VideoStream)
        video.codec_context.thread_count = 1
        try:
            yield container, video
        except av.FFmpegError as error:
            raise UnreadableClip(f"{path}: not a video that can be read: {_reason(error)}") from None


def _refuse_pointer(path: Path) -> None:
    """UnreadableClip for what a clone without Git LFS has in the place of a file."""
    with path.open("rb") as file:
        if file.read(len(_LFS_POINTER)) == _LFS_POINTER:
            raise UnreadableClip(
                f"{path}: is a Git LFS pointer, not the video itself: install Git LFS and run `git lfs pull` there"
            )


def whole_packets(container: av.container.InputContainer, video: av.VideoStream) -> Iterator[av.Packet]:
    """The stream's packets up to the end of the file, or to where the rest of it is missing; the last one is empty."""
    # What is cut off in the middle of a packet ends with an error instead of the end.
    with contextlib.suppress(av.InvalidDataError, av.EOFError):
        yield from container.demux(video)


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).splitlines()[0][:160]
