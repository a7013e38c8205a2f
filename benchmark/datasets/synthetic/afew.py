"""Write a made-up dataset in AFEW's distributed tree: videos in emotion folders, aligned faces beside them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2

from benchmark.datasets.synthetic.emotions import perform
from benchmark.datasets.synthetic.labels import divide, draw_feeling, planned_counts, shuffled
from benchmark.datasets.synthetic.scenes import film
from benchmark.datasets.synthetic.studio import draw_length, generator, make_all, new_tree
from benchmark.datasets.synthetic.writing import write_frames, write_video
from benchmark.specs import ReportProgress

# Official training clips per class.
_SHARES = {"angry": 133, "disgust": 74, "fear": 81, "happy": 150, "neutral": 144, "sad": 117, "surprise": 74}
_VAL = {"val": 1 / 3}
_FACES = {
    "train": Path("Train_AFEW/AlignedFaces_LBPTOP_Points/Faces"),
    "val": Path("Val_AFEW/AlignedFaces_LBPTOP_Points_Val/Faces"),
}
_FACE_SIZE = 128


@dataclass(frozen=True)
class _ClipPlan:
    """All that a worker needs to make one clip."""

    number: int
    label: str
    part: str
    seed: int


def synthesize(out: Path, clips: int, seed: int, report: ReportProgress, workers: int | None = None) -> None:
    """Write a synthetic AFEW with `clips` clips, a third of them for validation, to the folder `out`.

    The same `clips` and `seed` give the same bytes, whatever `workers` (processes, by default one per CPU) is. The
    tree appears at `out` only when it is whole. Raises UsageError when `out` is not an absent or empty folder, or when
    `clips` is too small for every class, or `seed` is negative.
    """
    with new_tree(out, "afew", clips, seed) as tree:
        labels = shuffled(planned_counts(clips, _SHARES), generator("afew", seed, 0, 0))
        parts = divide(labels, _VAL, generator("afew", seed, 0, 1))
        plans = [_ClipPlan(number, label, parts[number], seed) for number, label in labels.items()]
        make_all(partial(_make_clip, tree), plans, report, workers)


def _make_clip(tree: Path, plan: _ClipPlan) -> None:
    """Write one clip's video and its aligned faces."""
    rng = generator("afew", plan.seed, plan.number)
    feeling = draw_feeling(plan.label, rng)
    scenes, crops = film(perform(feeling.mixture, draw_length(plan.number, rng), rng), rng)
    faces = [cv2.resize(crop, (_FACE_SIZE, _FACE_SIZE), interpolation=cv2.INTER_AREA) for crop in crops]
    stem = f"{plan.number:05d}{rng.integers(10_000):04d}"
    write_video(tree / f"{plan.part.capitalize()}_AFEW" / plan.label.capitalize() / f"{stem}.avi", scenes, plan.number)
    write_frames(tree / _FACES[plan.part] / stem, faces, "{:03d}.jpg", plan.number)
