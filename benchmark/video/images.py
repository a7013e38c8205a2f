"""Single images: decoded by OpenCV, refused when a part of them is missing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from benchmark.files import read_bounded
from benchmark.video.clip import UnreadableClip, file_signature, owned
from benchmark.video.names import IMAGE_SUFFIXES, JPEG_SUFFIXES

DECODER = f"OpenCV {cv2.__version__}"

MOST_IMAGE = 64 * 2**20
_JPEG_START = b"\xff\xd8"
# How files of the other formats begin; a WebP's size stands between its two words.
_OTHER_STARTS = re.compile(rb"\x89PNG\r\n\x1a\n|RIFF....WEBP|BM....\0\0\0\0|II\*\0|MM\0\*", re.DOTALL)
# In a JPEG's compressed data, FF before 00 is a value and FF before D0..D7 a restart; before anything else, a marker.
_MARKER_IN_DATA = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")
_START_OF_SCAN, _END = 0xDA, 0xD9


class ImageFile:
    """A single image: a clip of one frame."""

    decoder = DECODER

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise UnreadableClip(f"{path}: no such image")
        self.path = path
        self.count = 1

    def signature(self, thorough: bool = False) -> str:
        """Path, size and time of change."""
        return file_signature(self.path)

    def read(self, indices: Iterable[int]) -> list[np.ndarray]:
        """The frame (H, W, 3), uint8 RGB, once for every index; a grey image has three equal channels."""
        return owned({0: decode_image(self.path)}, indices)


def is_image(path: Path) -> bool:
    """Whether a file is an image by its suffix or, under a suffix that says nothing, by its first bytes."""
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return True
    with open(path, "rb") as file:
        start = file.read(12)
    return start.startswith(_JPEG_START + b"\xff") or bool(_OTHER_STARTS.match(start))


def decode_image(path: Path) -> np.ndarray:
    """The image in a file, (H, W, 3) uint8 RGB."""
    data = read_bounded(path, MOST_IMAGE)
    # Not by the suffix alone: images from the web may be of another format than their names say.
    jpeg = data.startswith(_JPEG_START) if data else path.suffix.lower() in JPEG_SUFFIXES
    # OpenCV fills the missing part of a truncated JPEG with grey and says nothing.
    if jpeg and not is_whole_jpeg(data):
        raise UnreadableClip(f"{path}: truncated JPEG ({len(data)} bytes, no end marker)")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error as error:
        # Such as more pixels than are decoded, see `benchmark/__init__.py`.
        raise UnreadableClip(f"{path}: OpenCV cannot decode it: {str(error).splitlines()[0][:160]}") from None
    if image is None:
        raise UnreadableClip(f"{path}: not an image that OpenCV can decode ({len(data)} bytes)")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def is_whole_jpeg(data: bytes) -> bool:
    """Whether a JPEG's own end marker is there, whatever follows it.

    Its segments are walked (ITU-T T.81, annex B), because the end marker of a thumbnail in the header, or one in a
    comment, says nothing of the picture.
    """
    position = len(_JPEG_START)
    while position + 1 < len(data):
        if data[position] != 0xFF:
            return False
        marker = data[position + 1]
        if marker == _END:
            return True
        if marker == 0xFF:
            position += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            position += 2
            continue
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == _START_OF_SCAN:
            found = _MARKER_IN_DATA.search(data, position)
            if found is None:
                return False
            position = found.start(1) - 1
    return False
