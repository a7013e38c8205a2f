"""Rank intervals: which places of a ranking a row may have, as far as the data can tell.

Every two rows of a ranking are compared over the same test clips. Where clips share a video, subject or source, how
uncertain a difference is follows from the records, and everyone recomputes it. Elsewhere who has the labels does;
everyone else sees that it is possible.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmark.leaderboard.comparisons import Comparisons
from benchmark.leaderboard.rivals import Rivals
from benchmark.scoring.clipsets import spread_of_mean
from benchmark.scoring.comparison import Difference, difference
from benchmark.scoring.intervals import Spread
from benchmark.scoring.ranking import rank_intervals

# The best and the worst place that an entry may have, by its path.
Ranks = Mapping[str, tuple[int, int]]
# The ranking score of an entry minus that of another, by their paths.
Verdicts = Mapping[str, Mapping[str, Difference]]


def places(rivals: Rivals, comparisons: Comparisons) -> dict[str, tuple[int, int]]:
    """The best and the worst place that each rival may have, see `rank_intervals`."""
    errors, freedoms, _ = _errors(rivals, comparisons)
    return dict(zip(rivals.paths, rank_intervals(rivals.scores, errors, freedoms), strict=True))


def difference_of(rivals: Rivals, comparisons: Comparisons, first: str, second: str) -> tuple[Difference, bool]:
    """The ranking score of one rival minus that of another, and whether it is over the same clips."""
    errors, freedoms, paired = _errors(rivals, comparisons)
    one, other = rivals.paths.index(first), rivals.paths.index(second)
    return _difference(rivals, errors, freedoms, one, other), bool(paired[one, other])


def verdicts_of(rivals: Rivals, comparisons: Comparisons) -> dict[str, dict[str, Difference]]:
    """Every rival compared with every other one, see `difference_of`."""
    errors, freedoms, _ = _errors(rivals, comparisons)
    return {
        path: {
            other: _difference(rivals, errors, freedoms, one, two)
            for two, other in enumerate(rivals.paths)
            if two != one
        }
        for one, path in enumerate(rivals.paths)
    }


def _difference(rivals: Rivals, errors: np.ndarray, freedoms: np.ndarray, one: int, other: int) -> Difference:
    units = sum(len(found.confusions) for found in (*rivals.tested[one], *rivals.tested[other]))
    spread = Spread(float(errors[one, other] ** 2), 0.0, float(freedoms[one, other]), units)
    return difference(float(rivals.scores[one]), float(rivals.scores[other]), spread)


def _errors(rivals: Rivals, comparisons: Comparisons) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standard error and degrees of freedom of every difference, and whether it is over the same clips; each (M, M)."""
    alone = [spread_of_mean(rivals.compute, tested) for tested in rivals.tested]
    variance = np.array([spread.variance for spread in alone])
    doubt = np.array([spread.variance**2 / spread.freedom for spread in alone])
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.sqrt(variance[:, None] + variance[None])
        freedoms = np.nan_to_num(errors**4 / (doubt[:, None] + doubt[None]), nan=1.0)
    paired = np.zeros(errors.shape, bool)
    for number, row in enumerate(comparisons.rows):
        for other, (error, freedom) in enumerate(zip(row.errors, row.freedoms, strict=True)):
            if error is not None and freedom is not None:
                errors[number, other] = errors[other, number] = error
                freedoms[number, other] = freedoms[other, number] = freedom
                paired[number, other] = paired[other, number] = True
    return errors, freedoms, paired
