"""Write a made-up FERV39k together with soft labels from ten annotators, in the overlay's form."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmark.datasets.synthetic.emotions import EMOTIONS
from benchmark.datasets.synthetic.ferv39k import SHARES, TEST, make_clip, plan_clips, write_lists
from benchmark.datasets.synthetic.labels import divide, planned_counts, shuffled
from benchmark.datasets.synthetic.studio import generator, make_all, new_tree
from benchmark.datasets.synthetic.writing import write_table
from benchmark.specs import ReportProgress

_REREAD_EVERY = 8  # in one clip of so many the annotators see another emotion than FERV39k's folder says
_WITHOUT_VOTES = 0.05


def synthesize(out: Path, clips: int, seed: int, report: ReportProgress, workers: int | None = None) -> None:
    """Write a synthetic FERV39k-Plus with `clips` soft-labelled clips, and a few without votes, to the folder `out`.

    The same `clips` and `seed` give the same bytes, whatever `workers` (processes, by default one per CPU) is. The
    tree appears at `out` only when it is whole. Raises UsageError when `out` is not an absent or empty folder, or when
    `clips` is too small for every class, or `seed` is negative.
    """
    with new_tree(out, "ferv39k-plus", clips, seed) as tree:
        shown = shuffled(planned_counts(clips, SHARES), generator("ferv39k-plus", seed, 0, 0))
        parts = divide(shown, TEST, generator("ferv39k-plus", seed, 0, 1))
        rng = generator("ferv39k-plus", seed, 0, 3)
        for number in range(clips + 1, clips + 1 + max(2, round(_WITHOUT_VOTES * clips))):
            shown[number] = str(rng.choice(EMOTIONS))
            parts[number] = "test" if number % 5 == 0 else "train"
        filed = dict(shown)
        for number in range(_REREAD_EVERY, clips + 1, _REREAD_EVERY):
            filed[number] = str(rng.choice([name for name in EMOTIONS if name != shown[number]]))

        plans = plan_clips(shown, filed, seed)
        feelings = make_all(partial(make_clip, tree), plans, report, workers)
        write_lists(tree, plans, parts)
        rows = [
            (plan.place, *feeling.votes.values())
            for plan, feeling in zip(plans, feelings, strict=True)
            if plan.number <= clips
        ]
        write_table(tree / "soft_labels.csv", [("clip_id", *EMOTIONS), *rows])
