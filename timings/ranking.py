"""How often rank intervals are wrong, and what they can tell apart, on made-up leaderboards.

    python timings/ranking.py [--boards 400]

Eight methods answer the same 2,000 clips, half of a method's answers being those that all give (as similar models do).
Boards of equal methods, of two groups, and of a ladder are drawn. Printed: the share of rows whose places miss the true
one, the share of wrongly separated pairs (equal, or in the wrong order), the share of boards with any such pair, and
the power: the share of truly different pairs that are separated. Beside it, what the former rule said: neighbours that
differ with p >= 5 % share a rank, however long the chain.
"""

from __future__ import annotations

import argparse
from itertools import combinations, pairwise

import numpy as np

from benchmark.scoring.comparison import Answers, moved_by_clips, paired_spread
from benchmark.scoring.metrics import uar
from benchmark.scoring.ranking import pair_p_values, rank_intervals

CLASSES, CLIPS = 5, 2_000
BOARDS = {
    "eight equal methods": (0.60,) * 8,
    "two groups, 4 points apart": (0.62,) * 4 + (0.58,) * 4,
    "a ladder, one point a step": tuple(0.64 - 0.01 * step for step in range(8)),
}


def draw(random: np.random.Generator, accuracies: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores (M,), errors and degrees of freedom (M, M) of a board of methods with these true accuracies."""
    true = np.sort(random.integers(0, CLASSES, CLIPS))
    hard, alike = random.random(CLIPS), random.random(CLIPS) < 0.5
    moved = []
    for accuracy in accuracies:
        right = np.where(alike, hard, random.random(CLIPS)) < accuracy
        guesses = np.where(right, true, (true + random.integers(1, CLASSES, CLIPS)) % CLASSES)
        moved.append(moved_by_clips([Answers(true, guesses[None], (1,))], uar, CLASSES))
    size = len(accuracies)
    errors, freedoms = np.zeros((size, size)), np.ones((size, size))
    for one, other in combinations(range(size), 2):
        spread = paired_spread(moved[one], moved[other])
        errors[one, other] = errors[other, one] = spread.variance**0.5
        freedoms[one, other] = freedoms[other, one] = spread.freedom
    return np.array([one.value for one in moved]), errors, freedoms


def chains(scores: np.ndarray, errors: np.ndarray, freedoms: np.ndarray) -> list[int]:
    """The rank of each row where neighbours that p does not separate share one."""
    p, order = pair_p_values(scores, errors, freedoms), np.argsort(-scores)
    ranks = {int(order[0]): 1}
    for position, (above, below) in enumerate(pairwise(order), start=2):
        ranks[int(below)] = position if p[above, below] < 0.05 else ranks[int(above)]
    return [ranks[row] for row in range(len(scores))]


def measure(accuracies: tuple[float, ...], boards: int, seed: int = 0) -> dict[str, float]:
    """The shares that `main` prints."""
    random = np.random.default_rng(seed)
    truth = np.array(accuracies)
    pairs = list(combinations(range(len(truth)), 2))
    counts = dict.fromkeys(("rows missed", "pairs wrong", "boards wrong", "power", "chain: pairs wrong"), 0.0)
    counts["chain: power"] = 0.0
    different = sum(truth[one] != truth[other] for one, other in pairs) or 1
    for _ in range(boards):
        drawn = draw(random, accuracies)
        scores, places, ranks = drawn[0], rank_intervals(*drawn), chains(*drawn)
        for row, (best, worst) in enumerate(places):
            # Equal methods share the places from the first to the last of them; each of these is a true one.
            first, last = 1 + int((truth > truth[row]).sum()), int((truth >= truth[row]).sum())
            counts["rows missed"] += not best <= first <= last <= worst
        wrong = 0
        for one, other in pairs:
            lower = places[one][0] > places[other][1] or places[other][0] > places[one][1]
            falsely = truth[one] == truth[other] or (scores[one] > scores[other]) != (truth[one] > truth[other])
            wrong += lower and falsely
            counts["power"] += lower and not falsely
            counts["chain: pairs wrong"] += ranks[one] != ranks[other] and falsely
            counts["chain: power"] += ranks[one] != ranks[other] and not falsely
        counts["pairs wrong"] += wrong
        counts["boards wrong"] += wrong > 0
    totals = {"rows missed": len(truth), "pairs wrong": len(pairs), "boards wrong": 1, "power": different}
    totals |= {"chain: pairs wrong": len(pairs), "chain: power": different}
    return {name: count / boards / totals[name] for name, count in counts.items()}


def main() -> None:
    """Print the shares for every kind of board."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boards", type=int, default=400)
    options = parser.parse_args()
    for name, accuracies in BOARDS.items():
        shares = measure(accuracies, options.boards)
        print(f"{name}: " + ", ".join(f"{what} {100 * share:.1f} %" for what, share in shares.items()))


if __name__ == "__main__":
    main()
