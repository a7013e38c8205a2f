"""Checking a dataset on disk against what is known of it, before hours are spent on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.datasets.counts import Counts, part_counts, unexpected
from benchmark.errors import BenchmarkError
from benchmark.specs import Clip, DatasetLayout, ReportProgress, load_object


@dataclass
class Report:
    """What was found: counts per fold and part, and everything that does not hold."""

    dataset: str
    root: str
    clips: int
    synthetic: bool
    folds: Counts = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def check_dataset(
    layout: DatasetLayout,
    root: Path,
    sources: Sequence[str],
    synthetic: bool,
    workers: int,
    report: ReportProgress,
) -> Report:
    """Read lists and votes, compare counts with the known ones, and decode every clip of every frame source."""
    clips: list[Clip] = load_object(layout.read)(root, False)
    result = Report(layout.name, str(root), len(clips), synthetic)
    result.folds = part_counts(clips, layout.classes)
    if not synthetic:
        result.problems += unexpected(layout, result.folds)
    result.problems += _votes(layout, root)
    result.problems += _unreadable(clips, root, sources, workers, report)
    return result


def _votes(layout: DatasetLayout, root: Path) -> list[str]:
    """Votes are checked for what reading refuses, and for disagreement with the label."""
    try:
        clips = load_object(layout.read)(root, True)
    except BenchmarkError as error:
        return [str(error)]
    wrong = [clip.id for clip in clips if clip.votes and clip.votes[clip.label] < max(clip.votes.values())]
    if wrong:
        return [f"votes: the label of {len(wrong)} clips is not their most voted emotion, the first is {wrong[0]}"]
    return []


def _unreadable(
    clips: Sequence[Clip], root: Path, sources: Sequence[str], workers: int, report: ReportProgress
) -> list[str]:
    jobs = [(clip.id, str(root / clip.frames[source])) for source in sources for clip in clips]
    problems = []
    with ProcessPoolExecutor(max_workers=workers) as pool:
        for done, problem in enumerate(pool.map(_decode, jobs, chunksize=16), start=1):
            if problem:
                problems.append(problem)
            report(done, len(jobs))
    return problems


def _decode(job: tuple[str, str]) -> str | None:
    """Decode every frame; the fault, or None. Frames of one clip must be of one size."""
    from benchmark.video.frames import UnreadableClip, open_clip

    clip_id, path = job
    try:
        reader = open_clip(Path(path))
        sizes = Counter(frame.shape for frame in reader.read(range(reader.count)))
    except UnreadableClip as error:
        return f"clip {clip_id}: {error}"
    if len(sizes) > 1:
        return f"clip {clip_id}: {path}: frames of different sizes: {', '.join(map(str, sizes))}"
    return None
