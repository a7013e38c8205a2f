"""Checking a dataset on disk against what is known of it, before hours are spent on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.datasets.counts import Counts, part_counts, unexpected
from benchmark.datasets.inspection import Finding, Inspect, inspect_clips, present_sources
from benchmark.datasets.synthetic import is_synthetic
from benchmark.errors import BenchmarkError, EnvironmentProblem, IntegrityError
from benchmark.files import hash_file
from benchmark.specs import Clip, DatasetLayout, ReportProgress, load_object
from benchmark.video.frames import FrameReader, JpegFolder, UnreadableClip

# Frames decoded at once: a long video does not fit into memory.
RUN = 32


@dataclass(frozen=True)
class Problem:
    """Something that does not hold. kind: `missing`, `lists`, `counts`, `folds`, `labels`, `votes` or `frames`."""

    kind: str
    message: str


@dataclass(frozen=True)
class Report:
    """What was found.

    folds: the counts of each part; where frames are labelled, `per_class` counts labelled frames.
    lists: SHA-256 of each annotation file, by its path in the dataset.
    sources: the frame sources of which every clip was decoded.
    notes: what is worth knowing and no fault.
    """

    dataset: str
    root: str
    synthetic: bool
    clips: int = 0
    folds: Counts = field(default_factory=dict)
    lists: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 if everything holds, 3 if all that is wrong is a missing file, else 4."""
        if not self.problems:
            return 0
        missing = all(problem.kind == "missing" for problem in self.problems)
        return EnvironmentProblem.exit_code if missing else IntegrityError.exit_code


def check_dataset(
    layout: DatasetLayout, root: Path, sources: Sequence[str] | None, workers: int, report: ReportProgress
) -> Report:
    """Read lists and votes, compare counts with the known ones, and decode every clip.

    sources: the frame sources to decode; None for all that are there. A synthetic dataset has no known counts.
    """
    synthetic = is_synthetic(root)
    read = load_object(layout.read)
    try:
        clips: list[Clip] = read(root, False)
    except BenchmarkError as error:
        return Report(layout.name, str(root), synthetic, problems=(_problem("lists", error),))
    counts = part_counts(clips, layout.classes)
    problems = [] if synthetic else [Problem("counts", text) for text in unexpected(layout, counts)]
    problems += _folds(clips) + _labels(clips, layout.classes)
    notes: list[str] = []
    if layout.votes:
        try:
            disagreements = _votes(read(root, True))
            if layout.votes_decide:
                problems += disagreements
            elif disagreements:
                notes.append(f"votes: {len(disagreements):,} clips have another label than their most voted emotion")
        except EnvironmentProblem as error:
            notes.append(f"votes: not checked: {error}")
        except BenchmarkError as error:
            problems.append(_problem("votes", error))
    chosen = tuple(sources or present_sources(layout, clips, root))
    if not chosen:
        named = ", ".join(layout.frame_sources)
        problems.append(Problem("frames", f"no clip has frames in {root} in any of: {named}"))
    unreadable, missing = _frames(clips, root, chosen, workers, report)
    return Report(
        layout.name,
        str(root),
        synthetic,
        len(clips),
        counts,
        _hashes(layout, root),
        chosen,
        tuple(problems + unreadable),
        (*notes, *missing),
    )


def _problem(kind: str, error: BenchmarkError) -> Problem:
    return Problem("missing" if isinstance(error, EnvironmentProblem) else kind, str(error))


def _hashes(layout: DatasetLayout, root: Path) -> dict[str, str]:
    files = {path for pattern in layout.lists for path in root.glob(pattern) if path.is_file()}
    return {path.relative_to(root).as_posix(): hash_file(path) for path in sorted(files)}


def _folds(clips: Sequence[Clip]) -> list[Problem]:
    """A clip has one part in a fold, and every fold divides the same clips."""
    repeated = sorted(clip_id for clip_id, count in Counter(clip.id for clip in clips).items() if count > 1)
    folds = sorted({fold for clip in clips for fold in clip.parts})
    problems = [Problem("folds", f"clip {clip_id}: read more than once") for clip_id in repeated]
    for clip in clips:
        without = [str(fold) for fold in folds if fold not in clip.parts]
        if without:
            problems.append(Problem("folds", f"clip {clip.id}: in no list of fold {', '.join(without)}"))
    return problems


def _labels(clips: Sequence[Clip], classes: Sequence[str]) -> list[Problem]:
    """Every label is one of the dataset's classes, where it has fixed ones."""
    if not classes:
        return []
    foreign: dict[str, set[str]] = {}
    for clip in clips:
        given = {clip.label} if clip.frame_labels is None else set(clip.frame_labels.values())
        if given - set(classes):
            foreign[clip.id] = given - set(classes)
    return [
        Problem("labels", f"clip {clip_id}: '{label}' is not one of the classes {', '.join(classes)}")
        for clip_id, labels in foreign.items()
        for label in sorted(labels)
    ]


def _votes(clips: Sequence[Clip]) -> list[Problem]:
    """A clip's label is the emotion, or one of those, with the most votes."""
    problems = []
    for clip in clips:
        if clip.votes:
            most, votes = max(clip.votes.items(), key=lambda item: item[1])
            own = clip.votes.get(clip.label, 0)
            if own < votes:
                text = f"clip {clip.id}: its label is {clip.label} ({own:g} votes), but {most} has {votes:g}"
                problems.append(Problem("votes", text))
    return problems


def _frames(
    clips: Sequence[Clip], root: Path, sources: Sequence[str], workers: int, report: ReportProgress
) -> tuple[list[Problem], list[str]]:
    """Unreadable clips as problems; what pictures a dataset labelled by frames lacks, as notes."""
    framewise = [clip for clip in clips if clip.frame_labels is not None]
    inspect: Inspect = decode_numbered if framewise else decode
    paths = [clip.frames[source] for source in sources for clip in clips]
    findings = inspect_clips(root, paths, inspect, f"{inspect.__name__}-1", workers, report)
    problems = [
        Problem("frames", f"clip {clip.id}: {findings[clip.frames[source]].fault}")
        for source in sources
        for clip in clips
        if findings[clip.frames[source]].fault is not None
    ]
    notes = [_missing_pictures(framewise, source, findings) for source in sources] if framewise else []
    return problems, notes


def _missing_pictures(clips: Sequence[Clip], source: str, findings: Mapping[str, Finding]) -> str:
    labelled = missing = 0
    for clip in clips:
        numbers = set(clip.frame_labels or ())
        runs = findings[clip.frames[source]].value or []
        labelled += len(numbers)
        missing += len(numbers.difference(*(range(first, last + 1) for first, last in runs)))
    return f"{missing:,} of {labelled:,} labelled frames have no picture in {source}"


def decode(reader: FrameReader, path: Path) -> int:
    """Decode every frame; their number. Frames of one clip must be of one size."""
    sizes: Counter[Any] = Counter()
    for first in range(0, reader.count, RUN):
        sizes.update(frame.shape[:2] for frame in reader.read(range(first, min(first + RUN, reader.count))))
    if len(sizes) > 1:
        listed = ", ".join(f"{count} of {width}x{height}" for (height, width), count in sizes.most_common(5))
        raise UnreadableClip(f"{path}: frames of different sizes: {listed}")
    return reader.count


def decode_numbered(reader: FrameReader, path: Path) -> list[list[int]]:
    """Decode every frame; the frame numbers that are there, as runs of first and last."""
    if not isinstance(reader, JpegFolder):
        raise UnreadableClip(f"{path}: its frames are labelled one by one, so it must be a folder of numbered JPEGs")
    numbers = reader.numbers()
    decode(reader, path)
    breaks = np.flatnonzero(np.diff(numbers) > 1)
    firsts, lasts = numbers[np.r_[0, breaks + 1]], numbers[np.r_[breaks, len(numbers) - 1]]
    return [[int(first), int(last)] for first, last in zip(firsts, lasts, strict=True)]
