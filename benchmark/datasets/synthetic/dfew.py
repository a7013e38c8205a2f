"""Write a made-up dataset in DFEW's distributed tree: same folders, same lists, invented faces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from benchmark.datasets.synthetic.emotions import EMOTIONS, perform
from benchmark.datasets.synthetic.labels import (
    FOLDS,
    MAJORITY,
    Feeling,
    draw_feeling,
    planned_counts,
    stratified_folds,
    winner,
)
from benchmark.datasets.synthetic.scenes import film
from benchmark.datasets.synthetic.studio import draw_length, generator, make_all, new_tree
from benchmark.datasets.synthetic.writing import write_frames, write_table, write_video, write_workbook
from benchmark.specs import ReportProgress

INTERPOLATED = 16

# DFEW's usable single-labelled clips per class, and how many more are in the folders but have no majority.
_SHARES = {
    "happy": 2445,
    "sad": 1894,
    "neutral": 2669,
    "angry": 2173,
    "surprise": 1469,
    "disgust": 145,
    "fear": 902,
}
_UNLABELLED = 0.03


@dataclass(frozen=True)
class _ClipPlan:
    """All that a worker needs to make one clip; `label` is None for a clip without a majority."""

    id: int
    label: str | None
    seed: int


def synthesize(out: Path, clips: int, seed: int, report: ReportProgress, workers: int | None = None) -> None:
    """Write a synthetic DFEW with `clips` single-labelled clips to the folder `out`.

    The same `clips` and `seed` give the same bytes, whatever `workers` (processes, by default one per CPU) is. The
    tree appears at `out` only when it is whole. Raises UsageError when `out` is not an absent or empty folder, or when
    `clips` is too small to give every fold a clip of every class, or `seed` is negative.
    """
    with new_tree(out, "dfew", clips, seed) as tree:
        plans = _plan(clips, seed)
        feelings = make_all(partial(_make_clip, tree), plans, report, workers)
        _write_annotation(tree / "Annotation" / "annotation.xlsx", plans, feelings)
        labels = {plan.id: plan.label for plan in plans if plan.label is not None}
        _write_lists(tree / "EmoLabel_DataSplit", labels, stratified_folds(labels, generator("", seed, 0, 1)))


def _plan(clips: int, seed: int) -> list[_ClipPlan]:
    labels: list[str | None] = [name for name, n in planned_counts(clips, _SHARES).items() for _ in range(n)]
    labels += [None] * max(1, round(_UNLABELLED * clips))
    order = generator("", seed, 0, 0).permutation(len(labels))
    return [_ClipPlan(number, labels[which], seed) for number, which in enumerate(order, start=1)]


def _make_clip(tree: Path, plan: _ClipPlan) -> Feeling:
    """Write one clip in its three forms: the scene's video, the face crops, and sixteen interpolated crops."""
    rng = generator("", plan.seed, plan.id)
    feeling = draw_feeling(plan.label, rng)
    scenes, crops = film(perform(feeling.mixture, draw_length(plan.id, rng), rng), rng)
    clip = f"{plan.id:05d}"
    names = clip + "_{:05d}.jpg"
    write_video(tree / "Clip" / "original" / f"{plan.id}.mp4", scenes, plan.id)
    write_frames(tree / "Clip" / "clip_224x224" / clip, crops, names, plan.id)
    write_frames(tree / "Clip" / "clip_224x224_16f" / clip, _interpolate(crops, INTERPOLATED), names)
    return feeling


def _interpolate(frames: list[np.ndarray], length: int) -> list[np.ndarray]:
    """Resample a clip to `length` frames, linearly in time."""
    resampled = []
    for position in np.linspace(0, len(frames) - 1, length):
        before = int(position)
        after, share = min(before + 1, len(frames) - 1), position - before
        resampled.append(cv2.addWeighted(frames[before], 1 - share, frames[after], share, 0))
    return resampled


def _write_annotation(path: Path, plans: list[_ClipPlan], feelings: list[Feeling]) -> None:
    header = [*(f"{index}{name}" for index, name in enumerate(EMOTIONS, start=1)), "order", "label"]
    rows = [
        [*feeling.votes.values(), plan.id, _index(winner(feeling.votes, MAJORITY))]
        for plan, feeling in zip(plans, feelings, strict=True)
    ]
    write_workbook(path, [header, *rows])


def _index(label: str | None) -> int:
    """DFEW's label number: 1..7, and 0 for a clip without a majority."""
    return 0 if label is None else EMOTIONS.index(label) + 1


def _write_lists(folder: Path, labels: Mapping[int, str], folds: Mapping[int, int]) -> None:
    for fold in range(1, FOLDS + 1):
        parts = {
            "train(single-labeled)": [clip for clip in sorted(labels) if folds[clip] != fold],
            "test(single-labeled)": [clip for clip in sorted(labels) if folds[clip] == fold],
        }
        for part, members in parts.items():
            rows = [(clip, _index(labels[clip])) for clip in members]
            write_table(folder / part / f"set_{fold}.csv", [("video_name", "label"), *rows])
