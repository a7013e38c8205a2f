"""The clips that a command's arguments name: videos, images, folders of frames, trees of all these, or patterns."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmark.errors import EnvironmentProblem, UsageError
from benchmark.files import is_clutter
from benchmark.planning.pretraining_sources import videos as videos_in
from benchmark.video.clip import UnreadableClip
from benchmark.video.frames import open_shared
from benchmark.video.names import IMAGE_SUFFIXES, VIDEO_SUFFIXES


def named_clips(arguments: Iterable[str | Path]) -> list[tuple[Path, str]]:
    """Where the clips lie, and what each is called: its path below the argument that names it, without its suffix.

    Raises EnvironmentProblem where nothing is found, UsageError for what is no clip.
    """
    return list(dict.fromkeys(clip for text in arguments for clip in _clips(str(text))))


def _clips(text: str) -> Iterator[tuple[Path, str]]:
    matches = (Path(name) for name in sorted(glob.glob(text, recursive=True)))
    found = [Path(text)] if Path(text).exists() else [path for path in matches if not is_clutter(path.name)]
    if not found:
        raise EnvironmentProblem(f"{text}: no such video, folder or match")
    for path in found:
        if path.is_dir():
            for sample in videos_in(path).samples:
                below = path / sample["path"]
                yield below, _name(below, sample["path"]) if sample["path"] != "." else path.resolve().name
            continue
        if path.suffix.lower() not in (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES):
            # A name that says nothing: what is inside decides.
            try:
                open_shared(path)
            except UnreadableClip as error:
                raise UsageError(f"{error}; give a video, an image or a folder of images") from None
        yield path, _name(path, path.name)


def _name(path: Path, name: str) -> str:
    return name if path.is_dir() else name.removesuffix(path.suffix)
