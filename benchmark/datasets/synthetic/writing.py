"""Writing frames, videos and lists so that the same content always gives the same bytes."""

from __future__ import annotations

import csv
import io
import itertools
import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import openpyxl

from benchmark.faces.crops import Crops, write_crops_file
from benchmark.faces.recipe import DEFAULT, find_recipe

_FRAMES_PER_SECOND = 25
# What a container holds that OpenCV does not write reproducibly, or not at all.
_ENCODERS = {".mkv": "mpeg4", ".flv": "flv"}
_CODECS = {".mp4": "mp4v", ".m4v": "mp4v", ".mov": "mp4v", ".avi": "XVID"}
# One clip in so many is of each odd kind.
_ODD_EVERY = 10
_RESOURCE_FORK = bytes.fromhex("0005160700020000") + b"Mac OS X        " + bytes(60)
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 88]
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_image(path: Path, image: np.ndarray) -> None:
    """Write an image (H x W x 3 RGB, or H x W grey, uint8) in the format of the path's suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    encoded, data = cv2.imencode(path.suffix, pixels, _JPEG if path.suffix == ".jpg" else [])
    if not encoded:
        raise OSError(f"OpenCV could not encode {path}")
    # Written by Python, because cv2.imwrite reports a full disk only by a return value.
    path.write_bytes(data.tobytes())


def write_frames(folder: Path, frames: Sequence[np.ndarray], names: str = "{:05d}.jpg", clip: int = 0) -> None:
    """Write RGB frames as images called `names` with their number, counted from 1.

    Some of the clips numbered `clip` have what people's folders have: bytes after the end of a JPEG, or files that a
    system left there.
    """
    for number, frame in enumerate(frames, start=1):
        write_image(folder / names.format(number), frame)
    if clip % _ODD_EVERY == 3 and names.endswith(".jpg"):
        for path in folder.iterdir():
            path.write_bytes(path.read_bytes() + bytes(200))
    if clip % _ODD_EVERY == 6:
        (folder / f"._{names.format(1)}").write_bytes(_RESOURCE_FORK)
        for name in (".DS_Store", "Thumbs.db"):
            (folder / name).write_bytes(bytes(16))


def write_video(path: Path, frames: Sequence[np.ndarray], clip: int = 0) -> None:
    """Write RGB frames of one size as MPEG-4 video in the container of the path's suffix.

    Some of the clips numbered `clip` are encoded as people's files are: with B-frames, with frames of different
    lengths, as H.264.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    odd = clip % _ODD_EVERY
    if path.suffix in _ENCODERS:
        _encode(path, frames, _ENCODERS[path.suffix], b_frames=0)
    elif odd == 2:
        _encode(path, frames, "libx264" if path.suffix != ".avi" else "mpeg4", b_frames=3)
    elif odd == 4:
        _encode(path, frames, "mpeg4", b_frames=2)
    elif odd == 5 and path.suffix != ".avi":
        _encode(path, frames, "mpeg4", b_frames=0, durations=(1, 1, 3))
    else:
        _write_plain(path, frames)


def _write_plain(path: Path, frames: Sequence[np.ndarray]) -> None:
    height, width = frames[0].shape[:2]
    codec = cv2.VideoWriter.fourcc(*_CODECS[path.suffix])
    writer = cv2.VideoWriter(str(path), codec, _FRAMES_PER_SECOND, (width, height))
    if not writer.isOpened():
        raise OSError(f"OpenCV could not open {path} for writing MPEG-4 video")
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()


def _encode(
    path: Path, frames: Sequence[np.ndarray], codec: str, b_frames: int, durations: Sequence[int] = (1,)
) -> None:
    """Write a video by PyAV. durations: how long frames are shown, in turn, in 1/25 s."""
    import av

    # Its assembly for weighing frames by those that follow (mbtree) reads memory that nobody wrote.
    options = {"preset": "veryfast", "threads": "1", "x264-params": "mbtree=0"} if codec == "libx264" else {}
    # Without bitexact, Matroska gives every file a random number.
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as output:
        stream = cast(
            av.VideoStream, output.add_stream(codec, rate=_FRAMES_PER_SECOND, options={"bf": str(b_frames), **options})
        )
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 2_000_000
        stream.gop_size = 12
        stream.codec_context.thread_count = 1
        stream.codec_context.max_b_frames = b_frames
        times = itertools.accumulate(itertools.cycle(durations), initial=0)
        for frame, time in zip(frames, times, strict=False):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            picture.pts = time
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))


def write_table(path: Path, rows: Iterable[Sequence[object]], delimiter: str = ",") -> None:
    """Write rows as UTF-8 text, one a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)


def write_workbook(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write rows as the only sheet of an .xlsx workbook."""
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    for row in rows:
        sheet.append(row)
    written = io.BytesIO()
    workbook.save(written)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_without_dates(written))


def _without_dates(workbook: io.BytesIO) -> bytes:
    """The same workbook with all its dates at the zip format's epoch: openpyxl stamps the current time on saving."""
    fixed = io.BytesIO()
    with zipfile.ZipFile(workbook) as source, zipfile.ZipFile(fixed, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "docProps/core.xml":
                data = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"1980-01-01T00:00:00Z", data)
            target.writestr(zipfile.ZipInfo(name, _ZIP_EPOCH), data, zipfile.ZIP_DEFLATED)
    return fixed.getvalue()


def write_prepared_mark(prepared: Path, clips: Iterable[str]) -> None:
    """Say of the drawn crops in `crops` below `prepared` what `benchmark data prepare` says of those that it cuts."""
    recipe = find_recipe(DEFAULT)
    shares = dict.fromkeys(sorted(clips), 1.0)
    made = Crops(recipe=recipe, hash=recipe.hash, made_with={}, synthetic=True, complete=True, shares=shares)
    write_crops_file(prepared / "crops", made)
