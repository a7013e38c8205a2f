"""Write made-up videos in Aff-Wild2's tree (ABAW8, expression challenge): a label for every frame, cropped faces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from benchmark.datasets.synthetic.emotions import perform
from benchmark.datasets.synthetic.scenes import film
from benchmark.datasets.synthetic.studio import generator, make_all, new_tree
from benchmark.datasets.synthetic.writing import write_image
from benchmark.errors import UsageError
from benchmark.specs import ReportProgress

# The label files' header; a frame's label is the index in it.
_HEADER = "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other"
_CLASSES = ("neutral", "angry", "disgust", "fear", "happy", "sad", "surprise", "other")
_IGNORED = -1
_ANNOTATIONS = Path("8th_ABAW_Annotations/EXPR_Recognition_Challenge")
_FEWEST_VIDEOS = 10
_CLIPS_PER_VIDEO = 12
_VALIDATION = 0.3
_UNLABELLED_SEGMENTS = 0.3
_LOST_CROPS = 0.02
_FACE_SIZE = 112


@dataclass(frozen=True)
class _VideoPlan:
    """All that a worker needs to make one video; `segments` are its emotions in order."""

    number: int
    stem: str
    part: str
    crops: str
    segments: tuple[str, ...]
    seed: int


def synthesize(out: Path, clips: int, seed: int, report: ReportProgress, workers: int | None = None) -> None:
    """Write a synthetic Aff-Wild2 to the folder `out`; `clips` is its size in short clips.

    One video, of 120 to 260 frames, is worth twelve clips, and there are ten videos at least. The same `clips` and
    `seed` give the same bytes, whatever `workers` (processes, by default one per CPU) is. The tree appears at `out`
    only when it is whole. Raises UsageError when `out` is not an absent or empty folder, or when `clips` is less than
    one, or `seed` is negative.
    """
    if clips < 1:
        raise UsageError(f"{clips} synthetic clips are too few. Ask for 1 or more.")
    with new_tree(out, "affwild2", clips, seed) as tree:
        videos = max(_FEWEST_VIDEOS, clips // _CLIPS_PER_VIDEO)
        make_all(partial(_make_video, tree), _plan(videos, seed), report, workers)


def _plan(videos: int, seed: int) -> list[_VideoPlan]:
    """The first videos are for validation; the last two of the others show two people of one recording."""
    rng = generator("affwild2", seed, 0, 0)
    validation = round(_VALIDATION * videos)
    parts = ["Validation_Set"] * validation + ["Train_Set"] * (videos - validation)
    names = [f"video{number}" for number in range(1, videos - 1)]
    names += [f"video{videos - 1}_left", f"video{videos - 1}_right"]
    crops = ["cropped_aligned"] * videos
    crops[validation] = "cropped_aligned_new_50_vids"
    emotions = _endless(rng)
    return [
        # Three videos with four segments each, dealt in turn, show all eight classes.
        _VideoPlan(number, stem, part, folder, tuple(next(emotions) for _ in range(rng.integers(4, 6))), seed)
        for number, (stem, part, folder) in enumerate(zip(names, parts, crops, strict=True), start=1)
    ]


def _endless(rng: np.random.Generator) -> Iterator[str]:
    """All classes in random order, again and again."""
    while True:
        yield from rng.permutation(_CLASSES).tolist()


def _make_video(tree: Path, plan: _VideoPlan) -> None:
    """Write one video's face crops, of which some are lost, and its label file."""
    rng = generator("affwild2", plan.seed, plan.number)
    labels: list[int] = []
    performances = []
    for emotion in plan.segments:
        frames = int(rng.integers(30, 53))
        performances.append(perform({emotion: 1.0}, frames, rng))
        unsure = int(rng.integers(3, 11)) if rng.uniform() < _UNLABELLED_SEGMENTS else 0
        labels += [_IGNORED] * unsure + [_CLASSES.index(emotion)] * (frames - unsure)
    _, crops = film(np.concatenate(performances), rng)
    for number, crop in enumerate(crops, start=1):
        if rng.uniform() >= _LOST_CROPS:
            face = cv2.resize(crop, (_FACE_SIZE, _FACE_SIZE), interpolation=cv2.INTER_AREA)
            write_image(tree / plan.crops / plan.stem / f"{number:05d}.jpg", face)
    path = tree / _ANNOTATIONS / plan.part / f"{plan.stem}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([_HEADER, *map(str, labels)]) + "\n", encoding="utf-8")
