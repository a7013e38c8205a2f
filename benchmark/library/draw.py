"""`benchmark.draw`: the timelines of predicted clips as figures and as annotated videos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark.errors import UsageError
from benchmark.files import hash_value
from benchmark.library.predict import Seen, SeenClip
from benchmark.plots import evenly, over_time, timeline_figure, write_figure
from benchmark.video.annotated import frame_rate, write_annotated
from benchmark.video.frames import open_shared
from benchmark.watcher import Watcher

MP4 = ".mp4"


def check_video(video: Path, clips: int) -> None:
    """UsageError if a single video is to hold several clips."""
    if video.suffix == MP4 and clips > 1:
        raise UsageError(f"--video {video}: is one file for {clips} clips; give a folder, or one clip")


def draw(
    seen: Seen,
    method: str,
    *,
    plots: Path | str | None = None,
    video: Path | str | None = None,
    watcher: Watcher | None = None,
) -> list[Path]:
    """Draw every clip that was predicted over time; the files written.

    plots: the folder of a PNG and an SVG for each clip. video: an `.mp4` file for one clip, or the folder of one for
    each: its frames beside the probabilities of the windows that hold them.
    """
    watcher, written = watcher or Watcher(), []
    clips = [clip for clip in seen.clips if clip.timeline]
    if video is not None:
        check_video(Path(video), len(clips))
    names = _names(clips)
    with watcher.counting("drawing") as report:
        for done, (clip, name) in enumerate(zip(clips, names, strict=True)):
            if plots is not None:
                written += _figure(clip, name, method, seen.classes, Path(plots))
            if video is not None:
                path = Path(video) if Path(video).suffix == MP4 else Path(video) / f"{name}{MP4}"
                _video(clip, method, seen.classes, path)
                written.append(path)
            report(done + 1, len(clips))
    return written


def _figure(clip: SeenClip, name: str, method: str, classes: Sequence[str], folder: Path) -> list[Path]:
    reader = open_shared(clip.path)
    numbers = evenly(reader.count)
    rate = frame_rate(clip.path)
    figure = timeline_figure(
        over_time(_pieces(clip, classes), reader.count),
        classes,
        f"{clip.path.name}: as a whole {clip.whole.emotion}\n{method}",
        rate=float(rate) if rate else None,
        frames=list(zip(numbers, reader.read(numbers), strict=True)),
    )
    return write_figure(figure, folder / name)


def _video(clip: SeenClip, method: str, classes: Sequence[str], path: Path) -> None:
    reader = open_shared(clip.path)
    # One at a time: a long video does not fit into memory.
    frames = (reader.read([number])[0] for number in range(reader.count))
    shares = over_time(_pieces(clip, classes), reader.count)
    write_annotated(path, frames, shares, classes, rate=frame_rate(clip.path), caption=f"predicted by {method}")


def _pieces(clip: SeenClip, classes: Sequence[str]) -> list[tuple[int, int, list[float]]]:
    return [(piece.first, piece.last, [piece.probabilities[name] for name in classes]) for piece in clip.timeline]


def _names(clips: Sequence[SeenClip]) -> list[str]:
    """File names of clips: their own, and of those that share it also a hash of where they lie."""
    stems = [clip.path.stem if clip.path.is_file() else clip.path.name for clip in clips]
    return [
        stem if stems.count(stem) == 1 else f"{stem}-{hash_value(str(clip.path))[:8]}"
        for stem, clip in zip(stems, clips, strict=True)
    ]
