"""The same tree with drawn faces, so that everything can be tried without the dataset (`--demo`)."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmark.datasets.synthetic.emotions import perform
from benchmark.datasets.synthetic.labels import divide, draw_feeling, planned_counts, shuffled
from benchmark.datasets.synthetic.scenes import film
from benchmark.datasets.synthetic.studio import draw_length, generator, make_all, new_tree
from benchmark.datasets.synthetic.writing import write_table, write_video
from benchmark.specs import ReportProgress
from my_plugin import CLASSES, LAYOUT


@dataclass(frozen=True)
class ClipPlan:
    """All that a process needs to make one clip."""

    number: int
    label: str
    seed: int

    @property
    def name(self) -> str:
        """The clip's id."""
        return f"{self.number:05d}"


def synthesize(out: Path, clips: int, seed: int, report: ReportProgress) -> None:
    """Write `clips` clips to the folder `out`, 70 % of them to train on; the same seed gives the same bytes."""
    with new_tree(out, LAYOUT.name, clips, seed) as tree:
        labels = shuffled(planned_counts(clips, dict.fromkeys(CLASSES, 1)), generator(LAYOUT.name, seed, 0, 0))
        parts = divide(labels, {"val": 0.1, "test": 0.2}, generator(LAYOUT.name, seed, 0, 1))
        plans = [ClipPlan(number, label, seed) for number, label in labels.items()]
        make_all(partial(_make_clip, tree), plans, report, None)
        rows = [(plan.name, plan.label, parts[plan.number]) for plan in plans]
        write_table(tree / "labels.csv", [("clip", "emotion", "part"), *rows])


def _make_clip(tree: Path, plan: ClipPlan) -> None:
    """Write one clip's video of a face."""
    rng = generator(LAYOUT.name, plan.seed, plan.number)
    feeling = draw_feeling(plan.label, rng)
    _, faces = film(perform(feeling.mixture, draw_length(plan.number, rng), rng), rng)
    write_video(tree / "clips" / f"{plan.name}.mp4", faces, plan.number)
