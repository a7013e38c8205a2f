"""Writing frames, videos and lists so that the same content always gives the same bytes."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
import openpyxl

_FRAMES_PER_SECOND = 25
_CODECS = {".mp4": "mp4v", ".avi": "XVID"}
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


def write_frames(folder: Path, frames: Sequence[np.ndarray], names: str = "{:05d}.jpg") -> None:
    """Write RGB frames as images called `names` with their number, counted from 1."""
    for number, frame in enumerate(frames, start=1):
        write_image(folder / names.format(number), frame)


def write_video(path: Path, frames: Sequence[np.ndarray]) -> None:
    """Write RGB frames of one size as MPEG-4 video in an .mp4 or .avi file, as the path's suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = frames[0].shape[:2]
    codec = cv2.VideoWriter.fourcc(*_CODECS[path.suffix])
    writer = cv2.VideoWriter(str(path), codec, _FRAMES_PER_SECOND, (width, height))
    if not writer.isOpened():
        raise OSError(f"OpenCV could not open {path} for writing MPEG-4 video")
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()


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
