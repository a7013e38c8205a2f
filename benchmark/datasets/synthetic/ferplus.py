"""Write made-up pictures in FERPlus's distributed tree: small grey faces and ten annotators' votes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2

from benchmark.datasets.synthetic.labels import ANNOTATORS, divide, draw_feeling, planned_counts, shuffled
from benchmark.datasets.synthetic.scenes import photograph
from benchmark.datasets.synthetic.studio import generator, make_all, new_tree
from benchmark.datasets.synthetic.writing import write_image, write_table
from benchmark.specs import ReportProgress

_COLUMNS = {
    "neutral": "neutral",
    "happy": "happiness",
    "surprise": "surprise",
    "sad": "sadness",
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "contempt": "contempt",
    "unknown": "unknown",
    "nf": "NF",
}
_CLASSES = tuple(_COLUMNS)[:8]
# About the official class balance.
_SHARES = dict(zip(_CLASSES, (36, 26, 13, 12, 9, 1, 2, 1), strict=True))
_REJECTED = 0.02
_MAJORITY = 5
_HELD_OUT = {"valid": 0.1, "test": 0.1}
_USAGES = {"train": "Training", "valid": "PublicTest", "test": "PrivateTest"}
_SIZE = 48


@dataclass(frozen=True)
class _ImagePlan:
    """All that a worker needs to make one image; `label` may also be `unknown`, or `nf` (not a face)."""

    number: int
    label: str
    part: str
    seed: int

    @property
    def name(self) -> str:
        """The image's file name; empty when it shows no face."""
        return "" if self.label == "nf" else f"fer{self.number:07d}.png"


def synthesize(out: Path, clips: int, seed: int, report: ReportProgress, workers: int | None = None) -> None:
    """Write a synthetic FERPlus with `clips` images that have a majority, and a few rejected ones, to `out`.

    The same `clips` and `seed` give the same bytes, whatever `workers` (processes, by default one per CPU) is. The
    tree appears at `out` only when it is whole. Raises UsageError when `out` is not an absent or empty folder, or when
    `clips` is too small for every class, or `seed` is negative.
    """
    with new_tree(out, "ferplus", clips, seed) as tree:
        counts = planned_counts(clips, _SHARES)
        rejected = dict.fromkeys(("unknown", "nf"), max(3, round(_REJECTED * clips)))
        labels = shuffled({**counts, **rejected}, generator("ferplus", seed, 0, 0))
        parts = divide(labels, _HELD_OUT, generator("ferplus", seed, 0, 1))
        plans = [_ImagePlan(number, label, parts[number], seed) for number, label in labels.items()]
        votes = make_all(partial(_make_image, tree), plans, report, workers)
        rows = [
            (_USAGES[plan.part], plan.name, *(counted.get(name, 0) for name in _COLUMNS))
            for plan, counted in zip(plans, votes, strict=True)
        ]
        write_table(tree / "fer2013new.csv", [("Usage", "Image name", *_COLUMNS.values()), *rows])


def _make_image(tree: Path, plan: _ImagePlan) -> Mapping[str, int]:
    """Write one image, unless it shows no face; returns its votes."""
    if plan.label == "nf":
        return {"nf": ANNOTATORS}
    rng = generator("ferplus", plan.seed, plan.number)
    feeling = draw_feeling(plan.label if plan.label in _CLASSES else None, rng, _CLASSES, majority=_MAJORITY)
    _, crop = photograph(feeling.mixture, rng)
    grey = cv2.cvtColor(cv2.resize(crop, (_SIZE, _SIZE), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    write_image(tree / "data" / f"FER2013{plan.part.capitalize()}" / plan.name, grey)
    if plan.label == "unknown":
        return {"unknown": ANNOTATORS - 4, **dict.fromkeys(feeling.mixture, 2)}
    return feeling.votes
