"""Write made-up pictures in AffectNet's distributed tree of 2017: two lists, of which one has no header."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmark.datasets.synthetic.faces import oval
from benchmark.datasets.synthetic.labels import divide, draw_feeling, planned_counts, shuffled
from benchmark.datasets.synthetic.scenes import CROP, photograph
from benchmark.datasets.synthetic.studio import generator, make_all, new_tree
from benchmark.datasets.synthetic.writing import write_image, write_table
from benchmark.specs import ReportProgress

_CLASSES = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt")
_NO_FACE = "no-face"
# The index is the number in the lists' column `expression`.
_EXPRESSIONS = (*_CLASSES, "none", "uncertain", _NO_FACE)
# About the official class balance.
_SHARES = dict(zip(_CLASSES, (26, 47, 9, 5, 2, 1, 9, 1), strict=True))
# Valence and arousal that go with each class, made up; -2 stands for unknown in the lists.
_AFFECT = {
    "neutral": (0.0, 0.0),
    "happy": (0.7, 0.2),
    "sad": (-0.7, -0.3),
    "surprise": (0.2, 0.7),
    "fear": (-0.3, 0.8),
    "disgust": (-0.7, 0.5),
    "angry": (-0.5, 0.7),
    "contempt": (-0.6, 0.4),
}
_UNKNOWN_AFFECT = (-2.0, -2.0)
_WITHOUT_EXPRESSION = 0.03
_VALIDATION = {"validation": 0.2}
_HEADER = (
    *("subDirectory_filePath", "face_x", "face_y", "face_width", "face_height"),
    *("facial_landmarks", "expression", "valence", "arousal"),
)
_LANDMARKS = ";".join(f"{x:.1f};{y:.1f}" for x, y in oval((CROP / 2, CROP / 2), (85, 105), 68))


@dataclass(frozen=True)
class _ImagePlan:
    """All that a worker needs to make one image."""

    number: int
    label: str
    seed: int


def synthesize(out: Path, clips: int, seed: int, report: ReportProgress, workers: int | None = None) -> None:
    """Write a synthetic AffectNet with `clips` images of the eight classes, and a few of none, to the folder `out`.

    The same `clips` and `seed` give the same bytes, whatever `workers` (processes, by default one per CPU) is. The
    tree appears at `out` only when it is whole. Raises UsageError when `out` is not an absent or empty folder, or when
    `clips` is too small for every class, or `seed` is negative.
    """
    with new_tree(out, "affectnet", clips, seed) as tree:
        counts = planned_counts(clips, _SHARES)
        without = dict.fromkeys(_EXPRESSIONS[len(_CLASSES) :], max(2, round(_WITHOUT_EXPRESSION * clips)))
        labels = shuffled({**counts, **without}, generator("affectnet", seed, 0, 0))
        parts = divide(labels, _VALIDATION, generator("affectnet", seed, 0, 1))
        plans = [_ImagePlan(number, label, seed) for number, label in labels.items()]
        rows = make_all(partial(_make_image, tree), plans, report, workers)
        for part, header in (("training", [_HEADER]), ("validation", [])):
            # `divide` calls what is not held out `train`.
            members = [row for plan, row in zip(plans, rows, strict=True) if part.startswith(parts[plan.number])]
            write_table(tree / "Manually_Annotated_file_lists" / f"{part}.csv", [*header, *members])


def _make_image(tree: Path, plan: _ImagePlan) -> Sequence[object]:
    """Write one image; returns its row in the list."""
    rng = generator("affectnet", plan.seed, plan.number)
    known = plan.label in _CLASSES
    feeling = draw_feeling(plan.label if known else None, rng, _CLASSES)
    scene, crop = photograph(feeling.mixture, rng)
    path = f"{1 + plan.number % 9}/{rng.bytes(28).hex()}.jpg"
    # A corner of the scene is background only.
    write_image(tree / "Manually_Annotated_Images" / path, scene[:64, :64] if plan.label == _NO_FACE else crop)
    valence, arousal = _AFFECT.get(plan.label, _UNKNOWN_AFFECT)
    return path, 8, 4, CROP - 16, CROP - 8, _LANDMARKS, _EXPRESSIONS.index(plan.label), valence, arousal
