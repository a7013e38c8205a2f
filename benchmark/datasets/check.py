"""Checking a dataset on disk against what is known of it, before hours are spent on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.datasets.clips import read_clips
from benchmark.datasets.counts import Counts, part_counts, unexpected
from benchmark.datasets.inspection import Finding, Inspect, inspect_clips, present_sources
from benchmark.datasets.synthetic import is_synthetic
from benchmark.datasets.votes import share_for_label
from benchmark.emotions import meant
from benchmark.errors import BenchmarkError, EnvironmentProblem, IntegrityError
from benchmark.files import hash_file
from benchmark.specs import Clip, DatasetLayout, ReportProgress
from benchmark.video.clip import FrameReader, UnreadableClip
from benchmark.video.decoders import every_decoder
from benchmark.video.folders import FrameFolder
from benchmark.video.frames import open_clip
from benchmark.video.images import ImageFile
from benchmark.video.streams import examine
from benchmark.video.videos import SequentialVideo

# Frames of a video that are also read by themselves, out of order, to compare: eighths of it, in this order.
SPARSE = (5, 1, 7, 3, 0, 6, 2, 4)


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
    try:
        clips = read_clips(layout, root, votes=False)
    except BenchmarkError as error:
        return Report(layout.name, str(root), synthetic, problems=(_problem("lists", error),))
    counts = part_counts(clips, layout.classes)
    problems = [] if synthetic else [Problem("counts", text) for text in unexpected(layout, counts)]
    problems += _folds(clips) + _labels(clips, layout.classes)
    notes: list[str] = []
    if layout.votes:
        try:
            voted = read_clips(layout, root, votes=True)
            disagreements = _votes(voted)
            if layout.votes_decide:
                problems += disagreements
            elif disagreements:
                notes.append(
                    f"votes: {len(disagreements):,} clips have another label than their most voted emotion; "
                    f"{100 * share_for_label(voted):.1f} % of all votes are for the clip's label"
                )
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
    """Every label is one of the dataset's classes, where it has fixed ones; else it is not a slip of a known one."""
    if not classes:
        return [
            Problem("labels", f"clip {clip.id}: '{clip.label}' is no known emotion; did you mean '{near}'?")
            for clip in clips
            if (near := meant(clip.label)) is not None
        ]
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
    """Unreadable clips as problems; frames that a file promises and has not, or pictures that are missing, as notes."""
    framewise = [clip for clip in clips if clip.frame_labels is not None]
    inspect: Inspect = decode_numbered if framewise else decode
    paths = [clip.frames[source] for source in sources for clip in clips]
    kind = f"{inspect.__name__}-2 {every_decoder()}"
    findings = inspect_clips(root, paths, inspect, kind, workers, report)
    problems = [
        Problem("frames", f"clip {clip.id}: {findings[clip.frames[source]].fault}")
        for source in sources
        for clip in clips
        if findings[clip.frames[source]].fault is not None
    ]
    if framewise:
        return problems, [_missing_pictures(framewise, source, findings) for source in sources]
    lost = [(clip, root / clip.frames[source], findings[clip.frames[source]]) for source in sources for clip in clips]
    return problems, [
        f"clip {clip.id}: {path}: {found.value[1]:,} frames are promised, {found.value[0]:,} can be shown and are read"
        for clip, path, found in lost
        if found.fault is None and found.value[0] < (found.value[1] or 0)
    ]


def _missing_pictures(clips: Sequence[Clip], source: str, findings: Mapping[str, Finding]) -> str:
    labelled = missing = 0
    for clip in clips:
        numbers = set(clip.frame_labels or ())
        runs = findings[clip.frames[source]].value or []
        labelled += len(numbers)
        missing += len(numbers.difference(*(range(first, last + 1) for first, last in runs)))
    return f"{missing:,} of {labelled:,} labelled frames have no picture in {source}"


def decode(reader: FrameReader, path: Path) -> tuple[int, int | None]:
    """Decode every frame in sequence: how many there are, and how many a video file promises.

    Frames of one clip must be of one size, and some that are read by themselves must be the same ones.
    """
    video = not isinstance(reader, FrameFolder | ImageFile)
    sequence = SequentialVideo(path) if video else reader
    if reader.count != sequence.count:
        raise UnreadableClip(
            f"{path}: {sequence.count} of {reader.count} frames can be decoded; the others are damaged"
        )
    chosen = {part: part * (reader.count - 1) // (len(SPARSE) - 1) for part in SPARSE} if video else {}
    expected: dict[int, np.ndarray] = {}
    sizes: Counter[Any] = Counter()
    for index in range(sequence.count):
        # One by one: a long video does not fit into memory.
        (frame,) = sequence.read([index])
        sizes[frame.shape[:2]] += 1
        if index in chosen.values():
            expected[index] = frame
    if len(sizes) > 1:
        listed = ", ".join(f"{count} of {width}x{height}" for (height, width), count in sizes.most_common(5))
        raise UnreadableClip(f"{path}: frames of different sizes: {listed}")
    sparse = open_clip(path)
    wrong = [index for index in chosen.values() if not np.array_equal(sparse.read([index])[0], expected[index])]
    if wrong:
        raise UnreadableClip(
            f"{path}: {reader.decoder} gives another frame {wrong[0]} when it is read by itself than when the whole "
            "clip is read; encode the video again"
        )
    return sequence.count, examine(path).promised if video else None


def decode_numbered(reader: FrameReader, path: Path) -> list[list[int]]:
    """Decode every frame; the frame numbers that are there, as runs of first and last."""
    if not isinstance(reader, FrameFolder):
        raise UnreadableClip(f"{path}: its frames are labelled one by one, so it must be a folder of numbered images")
    numbers = reader.numbers()
    decode(reader, path)
    breaks = np.flatnonzero(np.diff(numbers) > 1)
    firsts, lasts = numbers[np.r_[0, breaks + 1]], numbers[np.r_[breaks, len(numbers) - 1]]
    return [[int(first), int(last)] for first, last in zip(firsts, lasts, strict=True)]
