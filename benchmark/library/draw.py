"""`benchmark.draw`: the timelines of predicted clips as figures and as annotated videos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark.errors import UsageError
from benchmark.files import hash_value
from benchmark.library.predict import Seen, SeenClip
from benchmark.plots import evenly, over_time, timeline_figure, write_figure
from benchmark.video.annotated import frame_rate, write_annotated
from benchmark.video.clip import Box
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

    plots: the folder of a PNG and an SVG for each person of each clip. video: an `.mp4` file for one clip and the first
    of its people, or the folder of one for each: frames beside the probabilities of the windows that hold them.
    """
    watcher, written = watcher or Watcher(), []
    clips = [clip for clip in seen.clips if clip.timeline]
    if video is not None:
        check_video(Path(video), len({clip.path for clip in clips}))
    names = _names(clips)
    with watcher.counting("drawing") as report:
        for done, (clip, name) in enumerate(zip(clips, names, strict=True)):
            if plots is not None:
                written += _figure(clip, name, method, seen.classes, Path(plots))
            single = video is not None and Path(video).suffix == MP4
            if video is not None and not (single and done):
                path = Path(video) if single else Path(video) / f"{name}{MP4}"
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
        f"{_title(clip)}: as a whole {clip.whole.emotion}\n{method}",
        rate=float(rate) if rate else None,
        frames=list(zip(numbers, reader.read(numbers), strict=True)),
        boxes=_boxes(clip, reader.count),
    )
    return write_figure(figure, folder / name)


def _video(clip: SeenClip, method: str, classes: Sequence[str], path: Path) -> None:
    reader = open_shared(clip.path)
    # One at a time: a long video does not fit into memory.
    frames = (reader.read([number])[0] for number in range(reader.count))
    shares = over_time(_pieces(clip, classes), reader.count)
    write_annotated(
        path,
        frames,
        shares,
        classes,
        rate=frame_rate(clip.path),
        boxes=_boxes(clip, reader.count),
        caption=f"predicted by {method}",
    )


def _title(clip: SeenClip) -> str:
    return clip.path.name if clip.person is None else f"{clip.path.name}, person {clip.person}"


def _boxes(clip: SeenClip, count: int) -> list[Box | None] | None:
    """The person's face in each frame of the clip; None where nothing was cropped."""
    if clip.faces is None:
        return None
    known = {box.frame: (box.x, box.y, box.x + box.width, box.y + box.height) for box in clip.faces.boxes}
    return [known.get(number) for number in range(count)]


def _pieces(clip: SeenClip, classes: Sequence[str]) -> list[tuple[int, int, list[float]]]:
    return [(piece.first, piece.last, [piece.probabilities[name] for name in classes]) for piece in clip.timeline]


def _names(clips: Sequence[SeenClip]) -> list[str]:
    """File names of clips and people: of clips that share their own also a hash of where they lie."""
    stems = {clip.path: clip.path.stem if clip.path.is_file() else clip.path.name for clip in clips}
    shared = list(stems.values())
    names = {
        path: stem if shared.count(stem) == 1 else f"{stem}-{hash_value(str(path))[:8]}" for path, stem in stems.items()
    }
    return [names[clip.path] + ("" if clip.person is None else f"-person-{clip.person}") for clip in clips]
