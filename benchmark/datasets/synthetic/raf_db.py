"""Write made-up pictures in RAF-DB's distributed tree (basic emotions): one list, aligned and original images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2

from benchmark.datasets.synthetic.labels import divide, draw_feeling, planned_counts, shuffled
from benchmark.datasets.synthetic.scenes import photograph
from benchmark.datasets.synthetic.studio import generator, make_all, new_tree
from benchmark.datasets.synthetic.writing import write_image, write_table
from benchmark.specs import ReportProgress

# Index + 1 is the label in the list.
_CLASSES = ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral")
# About the official class balance.
_SHARES = dict(zip(_CLASSES, (11, 2, 6, 39, 16, 6, 20), strict=True))
_TEST = {"test": 0.2}
_STEMS = {"train": "train_{:05d}", "test": "test_{:04d}"}
_ALIGNED_SIZE = 100


@dataclass(frozen=True)
class _ImagePlan:
    """All that a worker needs to make one image."""

    number: int
    label: str
    stem: str
    seed: int


def synthesize(out: Path, clips: int, seed: int, report: ReportProgress, workers: int | None = None) -> None:
    """Write a synthetic RAF-DB with `clips` images, a fifth of them for testing, to the folder `out`.

    The same `clips` and `seed` give the same bytes, whatever `workers` (processes, by default one per CPU) is. The
    tree appears at `out` only when it is whole. Raises UsageError when `out` is not an absent or empty folder, or when
    `clips` is too small for every class, or `seed` is negative.
    """
    with new_tree(out, "raf-db", clips, seed) as tree:
        labels = shuffled(planned_counts(clips, _SHARES), generator("raf-db", seed, 0, 0))
        parts = divide(labels, _TEST, generator("raf-db", seed, 0, 1))
        plans = []
        for part, stem in _STEMS.items():
            members = [number for number in labels if parts[number] == part]
            for place, number in enumerate(members, start=1):
                plans.append(_ImagePlan(number, labels[number], stem.format(place), seed))
        make_all(partial(_make_image, tree), plans, report, workers)
        rows = [(f"{plan.stem}.jpg", _CLASSES.index(plan.label) + 1) for plan in plans]
        write_table(tree / "basic" / "EmoLabel" / "list_patition_label.txt", rows, delimiter=" ")


def _make_image(tree: Path, plan: _ImagePlan) -> None:
    """Write one picture and the face cut from it."""
    rng = generator("raf-db", plan.seed, plan.number)
    scene, crop = photograph(draw_feeling(plan.label, rng).mixture, rng)
    images = tree / "basic" / "Image"
    aligned = cv2.resize(crop, (_ALIGNED_SIZE, _ALIGNED_SIZE), interpolation=cv2.INTER_AREA)
    write_image(images / "aligned" / f"{plan.stem}_aligned.jpg", aligned)
    write_image(images / "original" / f"{plan.stem}.jpg", scene)
