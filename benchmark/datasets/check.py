"""Checking a dataset on disk against what is known of it, before hours are spent on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.datasets.splits import class_counts
from benchmark.specs import Clip, DatasetLayout, ReportProgress, load_object


@dataclass
class Report:
    """What was found: counts per fold and part, and everything that does not hold."""

    dataset: str
    root: str
    clips: int
    synthetic: bool
    folds: dict[int, dict[str, dict[str, Any]]] = field(default_factory=dict)
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
    folds = sorted({fold for clip in clips for fold in clip.parts})
    for fold in folds:
        parts = sorted({clip.parts[fold] for clip in clips if fold in clip.parts})
        result.folds[fold] = {
            part: {
                "clips": len(members := [clip for clip in clips if clip.parts.get(fold) == part]),
                "per_class": class_counts(members, layout.classes),
            }
            for part in parts
        }
        if not synthetic:
            result.problems += _unexpected(layout.expected.get(fold, {}), result.folds[fold], fold)
    result.problems += _votes(layout, root)
    result.problems += _unreadable(clips, root, sources, workers, report)
    return result


def _unexpected(
    expected: Mapping[str, Mapping[str, Any]], found: Mapping[str, Mapping[str, Any]], fold: int
) -> list[str]:
    return [
        f"fold {fold}, {part}: {key} is {found.get(part, {}).get(key)}, the official list has {value}"
        for part, facts in expected.items()
        for key, value in facts.items()
        if found.get(part, {}).get(key) != value
    ]


def _votes(layout: DatasetLayout, root: Path) -> list[str]:
    """Votes are checked for what reading refuses, and for disagreement with the label."""
    from benchmark.errors import BenchmarkError

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
