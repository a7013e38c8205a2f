"""Write made-up clips in the form of one's own data: a table of clips, and their videos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmark.datasets.synthetic.emotions import EMOTIONS, perform
from benchmark.datasets.synthetic.labels import draw_feeling, planned_counts, shuffled, stratified_folds
from benchmark.datasets.synthetic.scenes import film
from benchmark.datasets.synthetic.studio import draw_length, generator, make_all, new_tree
from benchmark.datasets.synthetic.writing import write_frames, write_table, write_video
from benchmark.specs import ReportProgress

_SHARES = {"happy": 5, "sad": 4, "neutral": 5, "angry": 4, "surprise": 3, "disgust": 2, "fear": 2}
_SUBJECTS_PER_FOLD = 4
# What people have: videos in several containers, and folders whose frames are named in several ways, in turn.
_VIDEOS = (".mp4", ".mkv", ".avi", ".m4v")
_FORMS = (".mp4", ".mkv", "{}.jpg", ".mp4", ".avi", "{:05d}.png", ".m4v")


@dataclass(frozen=True)
class ClipPlan:
    """All that a worker needs to make one clip; `label` is the emotion that it shows, or shows most of."""

    number: int
    label: str
    seed: int

    @property
    def id(self) -> str:
        """The clip's id in the table."""
        return f"clip-{self.number:04d}"

    @property
    def path(self) -> str:
        """The clip's video or folder of frames, relative to the tree."""
        suffix = _FORMS[self.number % len(_FORMS)]
        return f"videos/{self.id}{suffix}" if suffix in _VIDEOS else f"frames/{self.id}"


def synthesize(out: Path, clips: int, seed: int, report: ReportProgress, workers: int | None = None) -> None:
    """Write a table of `clips` clips with votes, folds and subjects, and videos or frames of faces, to `out`.

    The same `clips` and `seed` give the same bytes, whatever `workers` (processes, by default one per CPU) is. The
    tree appears at `out` only when it is whole. Raises UsageError when `out` is not an absent or empty folder, or when
    `clips` is too small to give every fold a clip of every class, or `seed` is negative.
    """
    with new_tree(out, "table", clips, seed) as tree:
        labels = shuffled(planned_counts(clips, _SHARES), generator("table", seed, 0, 0))
        folds = stratified_folds(labels, generator("table", seed, 0, 1))
        plans = [ClipPlan(number, label, seed) for number, label in labels.items()]
        votes = make_all(partial(_make_clip, tree), plans, report, workers)
        rows = [
            (plan.id, plan.path, plan.label, *counts.values(), folds[plan.number], _subject(plan, folds[plan.number]))
            for plan, counts in zip(plans, votes, strict=True)
        ]
        header = ("clip_id", "path", "label", *(f"votes_{name}" for name in EMOTIONS), "fold", "subject")
        write_table(tree / "clips.csv", [header, *rows])


def _subject(plan: ClipPlan, fold: int) -> str:
    """A person whose clips are all in one fold."""
    return f"subject-{_SUBJECTS_PER_FOLD * (fold - 1) + plan.number % _SUBJECTS_PER_FOLD + 1:02d}"


def _make_clip(tree: Path, plan: ClipPlan) -> Mapping[str, int]:
    """Write one clip's video; returns its votes."""
    rng = generator("table", plan.seed, plan.number)
    feeling = draw_feeling(plan.label, rng)
    _, crops = film(perform(feeling.mixture, draw_length(plan.number, rng), rng), rng)
    form = _FORMS[plan.number % len(_FORMS)]
    if form in _VIDEOS:
        write_video(tree / plan.path, crops, plan.number)
    else:
        write_frames(tree / plan.path, crops, form, plan.number)
    return feeling.votes
