"""The experiment's clips: every face blends two emotions, in known shares, and ten people disagree about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmark.datasets.synthetic.emotions import EMOTIONS, perform
from benchmark.datasets.synthetic.labels import ANNOTATORS, Feeling, draw_votes, winner
from benchmark.datasets.synthetic.scenes import film
from benchmark.datasets.synthetic.studio import draw_length, generator, make_all, new_tree
from benchmark.datasets.synthetic.table import ClipPlan
from benchmark.datasets.synthetic.writing import write_table, write_video
from benchmark.specs import ReportProgress

NAME = "ambiguity"
# Raise it whenever the same seed starts to give other bytes.
VERSION = 1
# The stronger emotion's share of the blend is uniform between these.
STRONGER = (0.5, 0.9)
MIXTURES = "mixtures.csv"


@dataclass(frozen=True)
class Plan(ClipPlan):
    """A clip of the train, val or test part; its label here is the emotion with the larger share."""

    part: str

    @property
    def path(self) -> str:
        """The clip's video, relative to the tree."""
        return f"videos/{self.id}.mp4"


def synthesize(out: Path, parts: Mapping[str, int], seed: int, report: ReportProgress) -> None:
    """Write a `table` dataset with so many clips in each part, and beside it the true mixtures.

    In every part each emotion is the stronger one of equally many clips, or of one more. `clips.csv` has the votes, and
    as label the emotion with most of them; `mixtures.csv` has a row of shares for each clip, summing to 1. Raises
    UsageError when `out` is not an absent or empty folder.
    """
    kinds = [(part, EMOTIONS[place % len(EMOTIONS)]) for part, count in parts.items() for place in range(count)]
    plans = [Plan(number, stronger, seed, part) for number, (part, stronger) in enumerate(kinds, start=1)]
    with new_tree(out, "table", len(plans), seed, VERSION) as tree:
        feelings = make_all(partial(_make_clip, tree), plans, report, workers=None)
        made = list(zip(plans, feelings, strict=True))
        header = ("clip_id", "path", "label", *(f"votes_{name}" for name in EMOTIONS), "split")
        rows = [(plan.id, plan.path, label_of(felt), *felt.votes.values(), plan.part) for plan, felt in made]
        write_table(tree / "clips.csv", [header, *rows])
        shares = [(plan.id, *(felt.mixture.get(name, 0.0) for name in EMOTIONS)) for plan, felt in made]
        write_table(tree / MIXTURES, [("clip_id", *EMOTIONS), *shares])


def draw_feeling(stronger: str, rng: np.random.Generator) -> Feeling:
    """A blend of `stronger` and another emotion, and its votes, drawn again until one emotion has the most."""
    other = str(rng.choice([name for name in EMOTIONS if name != stronger]))
    share = rng.uniform(*STRONGER)
    mixture = {stronger: share, other: 1 - share}
    while True:
        votes = draw_votes(mixture, rng, EMOTIONS, ANNOTATORS)
        if winner(votes, majority=1):
            return Feeling(mixture, votes)


def label_of(feeling: Feeling) -> str:
    """The emotion with the most votes."""
    return max(feeling.votes, key=feeling.votes.__getitem__)


def _make_clip(tree: Path, plan: Plan) -> Feeling:
    rng = generator(NAME, plan.seed, plan.number)
    feeling = draw_feeling(plan.label, rng)
    _, crops = film(perform(feeling.mixture, draw_length(plan.number, rng), rng), rng)
    write_video(tree / plan.path, crops)
    return feeling
