"""Write a made-up dataset in MAFW's distributed tree, planned so that the compound labels can be learnt."""

from __future__ import annotations

from pathlib import Path

from benchmark.datasets.synthetic.labels import FOLDS, planned_counts, shuffled
from benchmark.datasets.synthetic.mafw import COMPOUNDS, NAMES, SHARES, ClipPlan, write_clips
from benchmark.datasets.synthetic.studio import generator, new_tree
from benchmark.specs import ReportProgress

_COMPOUND_SHARE = 127  # 4,058 official clips with a compound label, 32 compounds
_BALANCED_EVERY = 10  # one compound clip in so many has no dominant emotion, and so no single label


def synthesize(out: Path, clips: int, seed: int, report: ReportProgress, workers: int | None = None) -> None:
    """Write a synthetic MAFW with `clips` clips in its compound lists to the folder `out`.

    The classes are the eleven emotions and as many of the 32 compounds as `clips` allows with five clips of each: one
    for 60 clips, all for 215. The same `clips` and `seed` give the same bytes, whatever `workers` (processes, by
    default one per CPU) is. The tree appears at `out` only when it is whole. Raises UsageError when `out` is not an
    absent or empty folder, or when `clips` is less than 60, or `seed` is negative.
    """
    with new_tree(out, "mafw-compound", clips, seed) as tree:
        compounds = COMPOUNDS[: max(1, clips // FOLDS - len(NAMES))]
        shares = {**{name: share // 2 for name, share in SHARES.items()}, **dict.fromkeys(compounds, _COMPOUND_SHARE)}
        rng = generator("mafw-compound", seed, 0, 1)
        plans = []
        for number, label in shuffled(planned_counts(clips, shares), generator("mafw-compound", seed, 0, 0)).items():
            balanced = "_" in label and number % _BALANCED_EVERY == 0
            single = None if balanced else str(rng.choice(label.split("_")))
            plans.append(ClipPlan(f"{number:05d}", label, single, seed))
        write_clips(tree, plans, seed, report, workers)
