"""What a score's spread over units comes from: folds, seeds, and the choice of test clips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.plugin_functions import ScoreConfusion
from benchmark.scoring.clipsets import ClipSet, spread_over_clips


@dataclass(frozen=True)
class Components:
    """Standard deviations of one unit's score, in the score's own unit.

    folds: of which clips were trained and tested on, beyond what the choice of test clips explains; None for a single
    fold. seeds: of the training's random numbers; None where no fold has several seeds. clips: of which clips a test
    split of that size happens to hold.
    """

    folds: float | None
    seeds: float | None
    clips: float


def components(compute: ScoreConfusion, tested: Sequence[ClipSet]) -> Components:
    """The components of variance of a metric's score, by the method of moments (one-way layout, seeds within folds).

    Fold means differ by folds, by the clips of each and by a part of the seeds' variance; what is left after the other
    two is the folds', zero if nothing is. The clips' variance is the jackknife's. A fold's seeds are of the same clips.
    Source: Searle, Casella and McCulloch, Variance Components, 1992, chapter 3 (unequal numbers of seeds included).
    """
    scores: dict[int, list[float]] = {}
    sampling = []
    for one in tested:
        for fold, value in zip(one.folds, np.asarray(compute(one.confusions), dtype=np.float64), strict=True):
            scores.setdefault(fold, []).append(float(value))
        sampling.append(spread_over_clips(compute, one).variance)
    clips = float(np.mean(sampling))
    several = [values for values in scores.values() if len(values) > 1]
    freedom = sum(len(values) - 1 for values in several)
    seeds = sum(float(np.var(values)) * len(values) for values in several) / freedom if freedom else None
    folds = None
    if len(scores) > 1:
        means = [float(np.mean(values)) for values in scores.values()]
        within = float(np.mean([(seeds or 0.0) / len(values) for values in scores.values()]))
        shared = len(tested) < len(scores)  # folds that are tested on the same clips do not differ by them
        folds = max(float(np.var(means, ddof=1)) - within - (0.0 if shared else clips), 0.0)
    return Components(
        folds=None if folds is None else math.sqrt(folds),
        seeds=None if seeds is None else math.sqrt(seeds),
        clips=math.sqrt(clips),
    )
