"""How uncertain a metric of labels or votes is: the jackknife over groups of clips.

Such a metric is computed from all clips, so that leaving out each of thousands would take long; a hundred groups of
them do. Source: Kott, The Delete-a-Group Jackknife, Journal of Official Statistics 2001.
"""

from __future__ import annotations

import numpy as np

from benchmark.plugin_functions import ScoreTargets
from benchmark.scoring.intervals import Spread, jackknife

GROUPS = 100


def spread_of_targets(
    compute: ScoreTargets, targets: np.ndarray, probabilities: np.ndarray, clusters: np.ndarray | None = None
) -> Spread:
    """The spread of a metric of targets, labels (N,) or vote shares (N, K), for the choice of clips.

    clusters: the number (N,) of what each clip belongs to, where clips are independent only between those. Groups are
    made at random, from a stream of its own, so that anyone finds an interval again.
    """
    _, place = np.unique(np.arange(len(targets)) if clusters is None else clusters, return_inverse=True)
    units = int(place.max()) + 1
    group = (np.random.default_rng(0).permutation(units) % GROUPS)[place]
    whole = float(compute(targets, probabilities))
    kept = [group != number for number in range(min(units, GROUPS))]
    if len(kept) < 2:
        return Spread(np.inf, 0.0, 1.0, units)
    return jackknife(whole, np.array([compute(targets[own], probabilities[own]) for own in kept]))
