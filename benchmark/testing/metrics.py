"""Checks of a metric: its range, what a perfect prediction gets, and what it may depend on."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from benchmark.protocol.blends import blend_names
from benchmark.scoring.computing import compute_of, compute_of_targets
from benchmark.specs import MetricSpec
from benchmark.testing.check import Skipped, require

CLASSES, CLIPS = 5, 200
NAMES = tuple("abcde")
TOLERANCE = 1e-9


class MetricChecks:
    """Of one metric, on made-up predictions."""

    def __init__(self, spec: MetricSpec) -> None:
        self.spec = spec
        self.counts = spec.input in ("confusion", "blends")
        # What a clip can be taken for: a class, or one of the answers that blends make of them.
        self.size = len(blend_names(NAMES)) if spec.input == "blends" else CLASSES

    @functools.cached_property
    def score(self) -> Callable[[np.ndarray, np.ndarray], float]:
        """The score of probabilities (N, K) for targets: true classes, or answers, (N,), or votes (N, K)."""
        if not self.counts:
            return compute_of_targets(self.spec)
        compute = compute_of(self.spec)
        return lambda true, predicted: float(compute(confusion(true, predicted)))

    def targets(self, seed: int = 0) -> np.ndarray:
        """Made-up targets of the kind that the metric takes; every class is there."""
        rng = np.random.default_rng(seed)
        if self.spec.input == "distributions":
            return rng.dirichlet(np.full(CLASSES, 0.5), CLIPS)
        return np.concatenate([np.arange(self.size), rng.integers(0, self.size, CLIPS - self.size)])

    def predictions(self, seed: int = 1) -> np.ndarray:
        """Made-up class probabilities."""
        return np.random.default_rng(seed).dirichlet(np.ones(self.size), CLIPS)

    def perfect(self) -> np.ndarray:
        """Predictions that are exactly the targets."""
        targets = self.targets()
        return targets if targets.ndim == 2 else np.eye(self.size)[targets]

    def number(self) -> None:
        """It gives a number, also where a class has no clip, or none is predicted."""
        for targets, predictions in (
            (self.targets(), self.predictions()),
            (self.targets()[:1], self.predictions()[:1]),
            (self.targets(), np.eye(self.size)[np.zeros(CLIPS, dtype=int)]),
        ):
            self.score(targets, predictions)

    def range(self) -> None:
        """A score of a confusion matrix lies between 0 and 1, where intervals and pages expect it."""
        if not self.counts:
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
        order = self.other_order()
        targets, predictions = self.targets(), self.predictions()
        turned = targets[:, order] if targets.ndim == 2 else np.argsort(order)[targets]
        before, after = self.score(targets, predictions), self.score(turned, predictions[:, order])
        require(
            abs(before - after) <= 1e-9,
            f"{before:.6f} becomes {after:.6f} when the classes are named in another order: a protocol's order is "
            "arbitrary, so a score may not depend on it",
        )

    def other_order(self) -> np.ndarray:
        """The numbers that classes, or the answers made of them, have when classes are named in another order."""
        order = np.random.default_rng(3).permutation(CLASSES)
        if self.spec.input != "blends":
            return order
        known = blend_names(NAMES)
        swapped = {f"{b}+{a}": f"{a}+{b}" for a in NAMES for b in NAMES if a < b}
        return np.array([known.index(swapped.get(name, name)) for name in blend_names([NAMES[k] for k in order])])

    def many_at_once(self) -> None:
        """Confusions of several test sets at once give the score of each."""
        if not self.counts:
            raise Skipped("only scores of confusions are computed for many at once")
        compute = compute_of(self.spec)
        several = np.stack([confusion(self.targets(seed), self.predictions(seed + 1)) for seed in range(6)])
        alone = np.array([compute(each) for each in several])
        require(
            np.allclose(compute(several.reshape(2, 3, self.size, self.size)), alone.reshape(2, 3)),
            "confusions (2, 3, K, K) do not give the scores (2, 3) that each gives alone: intervals compute thousands "
            "at once",
        )


def confusion(true: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Counts (K, K) of true classes, in rows, and predicted ones, for probabilities (N, K)."""
    counts = np.zeros((probabilities.shape[1],) * 2, dtype=int)
    np.add.at(counts, (true, probabilities.argmax(axis=1)), 1)
    return counts
