"""Which places of a ranking each row may have, as far as the data can tell."""

from __future__ import annotations

import numpy as np

from benchmark.scoring.comparison import holm
from benchmark.scoring.scores import DECIMALS

LEVEL = 0.05


def pair_p_values(scores: np.ndarray, errors: np.ndarray, freedoms: np.ndarray) -> np.ndarray:
    """Two-sided p values (M, M) of the differences of M scores under Student's t, from the differences' standard errors
    and their degrees of freedom (M, M)."""
    from scipy.special import stdtr  # takes longer to import than all else here together

    differences = np.round(scores[:, None] - scores[None], DECIMALS)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * stdtr(freedoms, -np.abs(differences) / errors)
    return np.where(differences == 0, 1.0, p)


def rank_intervals(scores: np.ndarray, errors: np.ndarray, freedoms: np.ndarray) -> list[tuple[int, int]]:
    """The best and the worst place that each of M rows may have; arguments as for `pair_p_values`.

    A row is compared with every other one, its p values being corrected after Holm for the number of these. It stands
    below all rows that are better with p < 5 %, and above all that are worse. So the places of any one row, named
    beforehand, hold its true one in at least 95 of 100 cases: they are marginal confidence sets for ranks (Mogstad et
    al., Inference for Ranks with Applications to Mobility across Neighbourhoods and Academic Achievement across
    Countries, Review of Economic Studies 2024). That all rows' places hold at once is less sure.
    """
    p = pair_p_values(scores, errors, freedoms)
    places = []
    for number, score in enumerate(scores):
        others = np.arange(len(scores)) != number
        sure = np.array(holm(p[number, others].tolist())) < LEVEL
        better, worse = scores[others] > score, scores[others] < score
        places.append((1 + int((sure & better).sum()), len(scores) - int((sure & worse).sum())))
    return places
