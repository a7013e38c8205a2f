"""Write a made-up dataset in FERV39k's distributed tree: scenes, face crops and header-less lists of names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmark.datasets.synthetic.emotions import perform
from benchmark.datasets.synthetic.labels import Feeling, divide, draw_feeling, planned_counts, shuffled
from benchmark.datasets.synthetic.scenes import film
from benchmark.datasets.synthetic.studio import generator, make_all, new_tree
from benchmark.datasets.synthetic.writing import write_frames, write_table
from benchmark.specs import ReportProgress

# Clips per class in the official training list.
SHARES = {"happy": 5854, "sad": 5523, "neutral": 7790, "angry": 5906, "surprise": 2502, "disgust": 1833, "fear": 1680}
TEST = {"test": 0.2}

_SCENES = ("Action", "Crime", "Daily", "Interview")
_SHORT_EVERY = 10  # one official clip in ten has fewer than 16 frames
_LONGEST = 47
_MAJORITY = 5


@dataclass(frozen=True)
class ClipPlan:
    """All that a worker needs to make one clip, which shows `label`; `place` is scene/emotion/number."""

    number: int
    place: str
    label: str
    seed: int


def synthesize(out: Path, clips: int, seed: int, report: ReportProgress, workers: int | None = None) -> None:
    """Write a synthetic FERV39k with `clips` clips to the folder `out`.

    The same `clips` and `seed` give the same bytes, whatever `workers` (processes, by default one per CPU) is. The
    tree appears at `out` only when it is whole. Raises UsageError when `out` is not an absent or empty folder, or when
    `clips` is too small for every class, or `seed` is negative.
    """
    with new_tree(out, "ferv39k", clips, seed) as tree:
        labels = shuffled(planned_counts(clips, SHARES), generator("ferv39k", seed, 0, 0))
        parts = divide(labels, TEST, generator("ferv39k", seed, 0, 1))
        plans = plan_clips(labels, labels, seed)
        make_all(partial(make_clip, tree), plans, report, workers)
        write_lists(tree, plans, parts)


def plan_clips(shown: Mapping[int, str], filed: Mapping[int, str], seed: int) -> list[ClipPlan]:
    """Plan clips that show one emotion and lie in the folder of another, or of the same."""
    scenes = generator("ferv39k", seed, 0, 2).choice(_SCENES, len(shown)).tolist()
    return [
        ClipPlan(number, f"{scene}/{filed[number].capitalize()}/{number:04d}", label, seed)
        for scene, (number, label) in zip(scenes, sorted(shown.items()), strict=True)
    ]


def make_clip(tree: Path, plan: ClipPlan) -> Feeling:
    """Write one clip's scene frames and face crops; returns what it shows and its votes."""
    rng = generator("ferv39k", plan.seed, plan.number)
    feeling = draw_feeling(plan.label, rng, majority=_MAJORITY)
    scenes, crops = film(perform(feeling.mixture, _length(plan.number, rng), rng), rng)
    write_frames(tree / "3_ClipsforScenImages" / plan.place, scenes, clip=plan.number)
    write_frames(tree / "2_ClipsforFaceCrop" / plan.place, crops, clip=plan.number)
    return feeling


def write_lists(tree: Path, plans: Sequence[ClipPlan], parts: Mapping[int, str]) -> None:
    """Write the two official lists."""
    for part in ("train", "test"):
        members = [plan.place for plan in plans if parts[plan.number] == part]
        rows = [(place, place.split("/")[1]) for place in members]
        write_table(tree / "4_setups" / "All_scenes" / f"{part}_All.csv", rows, delimiter=" ")


def _length(number: int, rng: np.random.Generator) -> int:
    if number % _SHORT_EVERY == 0:
        return int(rng.integers(8, 16))
    return min(_LONGEST, 16 + int(rng.gamma(2.0, 6.0)))
