"""Checks of a metric: its range, what a perfect prediction gets, and what it may depend on."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from benchmark.scoring.computing import compute_of, compute_of_targets
from benchmark.specs import MetricSpec
from benchmark.testing.check import Skipped, require

CLASSES, CLIPS = 5, 200
TOLERANCE = 1e-9


class MetricChecks:
    """Of one metric, on made-up predictions."""

    def __init__(self, spec: MetricSpec) -> None:
        self.spec = spec

    @functools.cached_property
    def score(self) -> Callable[[np.ndarray, np.ndarray], float]:
        """The score of class probabilities (N, K) for targets: true classes (N,), or votes (N, K)."""
        if self.spec.input != "confusion":
            return compute_of_targets(self.spec)
        compute = compute_of(self.spec)
        return lambda true, predicted: float(compute(confusion(true, predicted)))

    def targets(self, seed: int = 0) -> np.ndarray:
        """Made-up targets of the kind that the metric takes; every class is there."""
        rng = np.random.default_rng(seed)
        if self.spec.input == "distributions":
            return rng.dirichlet(np.full(CLASSES, 0.5), CLIPS)
        return np.concatenate([np.arange(CLASSES), rng.integers(0, CLASSES, CLIPS - CLASSES)])

    def predictions(self, seed: int = 1) -> np.ndarray:
        """Made-up class probabilities."""
        return np.random.default_rng(seed).dirichlet(np.ones(CLASSES), CLIPS)

    def perfect(self) -> np.ndarray:
        """Predictions that are exactly the targets."""
        targets = self.targets()
        return targets if targets.ndim == 2 else np.eye(CLASSES)[targets]

    def number(self) -> None:
        """It gives a number, also where a class has no clip, or none is predicted."""
        for targets, predictions in (
            (self.targets(), self.predictions()),
            (self.targets()[:1], self.predictions()[:1]),
            (self.targets(), np.eye(CLASSES)[np.zeros(CLIPS, dtype=int)]),
        ):
            self.score(targets, predictions)

    def range(self) -> None:
        """A score of a confusion matrix lies between 0 and 1, where intervals and pages expect it."""
        if self.spec.input != "confusion":
            raise Skipped("only scores of confusions have a range of their own")
        scores = [self.score(self.targets(seed), self.predictions(seed + 1)) for seed in range(20)]
        scores.append(self.score(self.targets(), self.perfect()))
        require(
            all(-TOLERANCE <= score <= 1 + TOLERANCE for score in scores),
            f"scores lie between {min(scores):.3f} and {max(scores):.3f}, not between 0 and 1",
        )

    def best(self) -> None:
        """No prediction beats the perfect one; which way is better is as the spec says."""
        perfect = self.score(self.targets(), self.perfect())
        others = [self.score(self.targets(), self.predictions(seed)) for seed in range(1, 20)]
        sign = 1 if self.spec.higher_is_better else -1
        beaten = [other for other in others if sign * other > sign * perfect + TOLERANCE]
        way = "higher" if self.spec.higher_is_better else "lower"
        require(
            not beaten,
            f"a perfect prediction gets {perfect:.4f} and a random one {max(beaten, default=0.0):.4f}, though {way} is "
            "said to be better: is `higher_is_better` right?",
        )
        require(any(abs(other - perfect) > 1e-6 for other in others), f"every prediction gets {perfect:.4f}")

    def permutation(self) -> None:
        """The names of the classes, and so their order, do not matter."""
        order = np.random.default_rng(3).permutation(CLASSES)
        targets, predictions = self.targets(), self.predictions()
        turned = targets[:, order] if targets.ndim == 2 else np.argsort(order)[targets]
        before, after = self.score(targets, predictions), self.score(turned, predictions[:, order])
        require(
            abs(before - after) <= 1e-9,
            f"{before:.6f} becomes {after:.6f} when the classes are named in another order: a protocol's order is "
            "arbitrary, so a score may not depend on it",
        )

    def many_at_once(self) -> None:
        """Confusions of several test sets at once give the score of each."""
        if self.spec.input != "confusion":
            raise Skipped("only scores of confusions are computed for many at once")
        compute = compute_of(self.spec)
        several = np.stack([confusion(self.targets(seed), self.predictions(seed + 1)) for seed in range(6)])
        alone = np.array([compute(each) for each in several])
        require(
            np.allclose(compute(several.reshape(2, 3, CLASSES, CLASSES)), alone.reshape(2, 3)),
            "confusions (2, 3, K, K) do not give the scores (2, 3) that each gives alone: intervals compute thousands "
            "at once",
        )


def confusion(true: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Counts (K, K) of true classes, in rows, and predicted ones."""
    counts = np.zeros((CLASSES, CLASSES), dtype=int)
    np.add.at(counts, (true, probabilities.argmax(axis=1)), 1)
    return counts
