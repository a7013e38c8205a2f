"""Opening a clip, whatever it is: a folder of frames, a video file or a single image."""

from __future__ import annotations

import functools
from pathlib import Path

from benchmark.video.clip import FrameReader, UnreadableClip
from benchmark.video.folders import FrameFolder
from benchmark.video.images import ImageFile, is_image
from benchmark.video.names import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from benchmark.video.videos import open_video


def open_clip(path: Path) -> FrameReader:
    """A reader for a folder of images, a video file or a single image. Raises UnreadableClip."""
    if path.is_dir():
        return FrameFolder(path)
    if path.is_file():
        try:
            return ImageFile(path) if is_image(path) else open_video(path)
        except OSError as error:
            raise UnreadableClip(f"{path}: cannot be read: {error.strerror or error}") from None
    suffix = path.suffix.lower()
    kind = "image" if suffix in IMAGE_SUFFIXES else "video file" if suffix in VIDEO_SUFFIXES else "folder of frames"
    raise UnreadableClip(f"{path}: no such {kind}")


@functools.lru_cache(maxsize=256)
def open_numbered(path: Path) -> FrameFolder:
    """The folder of frames at `path`, listed once per process: a video's many windows share its thousands of files."""
    return FrameFolder(path)


@functools.lru_cache(maxsize=1)
def open_shared(path: Path) -> FrameReader:
    """The clip that was opened last, opened once: a long video's windows are read one after the other."""
    return open_clip(path)
