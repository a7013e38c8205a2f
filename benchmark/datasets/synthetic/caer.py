"""Write a made-up dataset in CAER's distributed tree: scene videos in a folder per part and emotion."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmark.datasets.synthetic.emotions import perform
from benchmark.datasets.synthetic.labels import divide, draw_feeling, planned_counts, shuffled
from benchmark.datasets.synthetic.scenes import film
from benchmark.datasets.synthetic.studio import draw_length, generator, make_all, new_tree
from benchmark.datasets.synthetic.writing import write_video
from benchmark.specs import ReportProgress

_FOLDERS = {
    "angry": "Anger",
    "disgust": "Disgust",
    "fear": "Fear",
    "happy": "Happy",
    "neutral": "Neutral",
    "sad": "Sad",
    "surprise": "Surprise",
}
# About the class balance of the 13,201 official clips.
_SHARES = {"angry": 12, "disgust": 6, "fear": 4, "happy": 21, "neutral": 34, "sad": 11, "surprise": 12}
_HELD_OUT = {"validation": 0.1, "test": 0.2}


@dataclass(frozen=True)
class _ClipPlan:
    """All that a worker needs to make one clip; `path` is the video's, relative to the tree."""

    number: int
    label: str
    path: str
    seed: int


def synthesize(out: Path, clips: int, seed: int, report: ReportProgress, workers: int | None = None) -> None:
    """Write a synthetic CAER with `clips` clips, divided 70:10:20, to the folder `out`.

    The same `clips` and `seed` give the same bytes, whatever `workers` (processes, by default one per CPU) is. The
    tree appears at `out` only when it is whole. Raises UsageError when `out` is not an absent or empty folder, or when
    `clips` is too small for every class, or `seed` is negative.
    """
    with new_tree(out, "caer", clips, seed) as tree:
        labels = shuffled(planned_counts(clips, _SHARES), generator("caer", seed, 0, 0))
        parts = divide(labels, _HELD_OUT, generator("caer", seed, 0, 1))
        placed: Counter[str] = Counter()
        plans = []
        for number, label in labels.items():
            folder = f"{parts[number]}/{_FOLDERS[label]}"
            placed[folder] += 1
            plans.append(_ClipPlan(number, label, f"{folder}/{placed[folder]:04d}.avi", seed))
        make_all(partial(_make_clip, tree), plans, report, workers)


def _make_clip(tree: Path, plan: _ClipPlan) -> None:
    """Write one clip's video."""
    rng = generator("caer", plan.seed, plan.number)
    feeling = draw_feeling(plan.label, rng)
    scenes, _ = film(perform(feeling.mixture, draw_length(plan.number, rng), rng), rng)
    write_video(tree / plan.path, scenes, plan.number)
