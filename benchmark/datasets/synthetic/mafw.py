"""Write a made-up dataset in MAFW's distributed tree: single and compound labels, eleven annotators' votes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmark.datasets.synthetic.emotions import perform
from benchmark.datasets.synthetic.labels import (
    FOLDS,
    MAJORITY,
    Feeling,
    draw_feeling,
    draw_votes,
    planned_counts,
    shuffled,
    stratified_folds,
    winner,
)
from benchmark.datasets.synthetic.scenes import film
from benchmark.datasets.synthetic.studio import draw_length, generator, make_all, new_tree
from benchmark.datasets.synthetic.writing import write_frames, write_table, write_video, write_workbook
from benchmark.specs import ReportProgress

# The names on disk, in the official order, and the official numbers of clips.
NAMES = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "sad": "sadness",
    "surprise": "surprise",
    "contempt": "contempt",
    "anxiety": "anxiety",
    "helplessness": "helplessness",
    "disappointment": "disappointment",
}
SHARES = dict(zip(NAMES, (1390, 639, 625, 1242, 1138, 1470, 1072, 236, 916, 262, 182), strict=True))
# MAFW's 32 compound classes.
COMPOUNDS = (
    *("angry_disgust", "sad_anxiety", "fear_surprise", "happy_surprise", "sad_helplessness", "disgust_contempt"),
    *("angry_surprise", "sad_disappointment", "fear_anxiety", "happy_contempt", "anxiety_helplessness", "angry_sad"),
    *("disgust_surprise", "surprise_anxiety", "angry_anxiety", "helplessness_disappointment", "disgust_anxiety"),
    *("fear_sad", "sad_surprise", "disgust_sad", "angry_helplessness", "disgust_helplessness"),
    *("disgust_disappointment", "angry_disgust_contempt", "angry_disgust_anxiety", "fear_surprise_anxiety"),
    *("fear_sad_anxiety", "sad_anxiety_helplessness", "sad_helplessness_disappointment"),
    *("disgust_anxiety_helplessness", "anxiety_helplessness_disappointment"),
    "disgust_helplessness_disappointment",
)
ANNOTATORS = 11

_COMPOUND_EVERY = 3
_COMPOUND_ONLY = 0.03
_INVALID_EVERY = 4
_FACE_NAMES = ("{:05d}.jpg", "{}.jpg", "{:05d}.png")


@dataclass(frozen=True)
class ClipPlan:
    """All that a worker needs to make one clip.

    compound: its label in the compound lists, which may be one emotion. single: its label in the single lists, one of
    the compound's parts; None for a clip that no emotion dominates, which those lists lack.
    """

    id: str
    compound: str
    single: str | None
    seed: int


def synthesize(out: Path, clips: int, seed: int, report: ReportProgress, workers: int | None = None) -> None:
    """Write a synthetic MAFW with `clips` single-labelled clips, and a few with a compound label only, to `out`.

    The same `clips` and `seed` give the same bytes, whatever `workers` (processes, by default one per CPU) is. The
    tree appears at `out` only when it is whole. Raises UsageError when `out` is not an absent or empty folder, or when
    `clips` is too small to give every fold a clip of every class, or `seed` is negative.
    """
    with new_tree(out, "mafw", clips, seed) as tree:
        rng = generator("mafw", seed, 0, 1)
        plans = []
        for number, label in shuffled(planned_counts(clips, SHARES), generator("mafw", seed, 0, 0)).items():
            around = [name for name in COMPOUNDS if label in name.split("_")]
            compound = str(rng.choice(around)) if around and number % _COMPOUND_EVERY == 0 else label
            plans.append(ClipPlan(f"{number:05d}", compound, label, seed))
        for number in range(clips + 1, clips + 1 + max(1, round(_COMPOUND_ONLY * clips))):
            plans.append(ClipPlan(f"{number:05d}", str(rng.choice(COMPOUNDS)), None, seed))
        write_clips(tree, plans, seed, report, workers)


def write_clips(tree: Path, plans: Sequence[ClipPlan], seed: int, report: ReportProgress, workers: int | None) -> None:
    """Write all clips, the annotators' votes, and the folds of the single and of the compound labels."""
    votes = make_all(partial(_make_clip, tree), plans, report, workers)
    rows: list[Sequence[object]] = [("clip", "invalid", *NAMES.values())]
    for number, (plan, counts) in enumerate(zip(plans, votes, strict=True), start=1):
        rows.append((f"{plan.id}.mp4", -1 if number % _INVALID_EVERY == 0 else 0, *counts.values()))
    write_workbook(tree / "Labels" / "annotation.xlsx", rows)
    singles = {number: plan.single for number, plan in enumerate(plans) if plan.single is not None}
    _write_lists(tree, "single", plans, singles, generator("mafw", seed, 0, 2))
    compounds = {number: plan.compound for number, plan in enumerate(plans)}
    _write_lists(tree, "compound", plans, compounds, generator("mafw", seed, 0, 3))


def _make_clip(tree: Path, plan: ClipPlan) -> Mapping[str, int]:
    """Write one clip's video, scene frames and face crops; returns its votes."""
    rng = generator("mafw", plan.seed, int(plan.id))
    feeling = _feel(plan, rng)
    scenes, crops = film(perform(feeling.mixture, draw_length(int(plan.id), rng), rng), rng)
    number = int(plan.id)
    write_video(tree / "data" / "clips" / f"{plan.id}.mp4", scenes, number)
    write_frames(tree / "data" / "frames" / plan.id, scenes, clip=number)
    # Everybody makes the face crops with a tool of their own.
    write_frames(tree / "data" / "faces" / plan.id, crops, _FACE_NAMES[number % len(_FACE_NAMES)], number)
    return feeling.votes


def _feel(plan: ClipPlan, rng: np.random.Generator) -> Feeling:
    parts = plan.compound.split("_")
    if parts == [plan.single]:
        return draw_feeling(plan.single, rng, tuple(NAMES), ANNOTATORS, MAJORITY)
    weights = {part: 1.5 if part == plan.single else 1.0 for part in parts}
    mixture = {part: weight / sum(weights.values()) for part, weight in weights.items()}
    while True:
        votes = draw_votes(mixture, rng, tuple(NAMES), ANNOTATORS)
        if plan.single in (None, winner(votes, 1)):
            return Feeling(mixture, votes)


def _write_lists(
    tree: Path, kind: str, plans: Sequence[ClipPlan], labels: Mapping[int, str], rng: np.random.Generator
) -> None:
    folds = stratified_folds(labels, rng, sorted(set(labels.values())))
    for fold in range(1, FOLDS + 1):
        parts: dict[str, list[tuple[str, str]]] = {"train": [], "test": []}
        for number, label in labels.items():
            name = "_".join(NAMES[part] for part in label.split("_"))
            parts["test" if folds[number] == fold else "train"].append((f"{plans[number].id}.mp4", name))
        for part, rows in parts.items():
            folder = tree / "Train & Test Set" / kind / "no_caption" / f"set_{fold}"
            write_table(folder / f"{part}.txt", rows, delimiter=" ")
