"""The scores of further results, from predictions and from labels or votes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from benchmark.protocol import Protocol
from benchmark.records.further import DECIMALS, Agreement, Confidence, MeanScore, Spoiled
from benchmark.records.model import UnitRecord
from benchmark.registry import registry
from benchmark.scoring.annotators import by_agreement, right_by_plurality
from benchmark.scoring.computing import compute_of_targets
from benchmark.scoring.group_jackknife import spread_of_targets
from benchmark.scoring.intervals import Spread, combined, symmetric_interval, together
from benchmark.scoring.metrics import confusion_matrix
from benchmark.scoring.predicted_classes import PredictedClasses
from benchmark.scoring.predictions import Predictions
from benchmark.scoring.scores import metric_functions
from benchmark.scoring.selective import risk_coverage
from benchmark.specs import MetricSpec
from benchmark.video.corruptions import CORRUPTIONS

# The metrics of confidence, and the shares of the clips at which its curve is kept.
SELECTIVE = ("augrc", "risk_at_80")
COVERAGES = tuple(number / 20 for number in range(1, 21))

# The class of each test clip, and the votes' shares of each clip, by their ids.
Labels = Mapping[str, str]
Votes = Mapping[str, Sequence[float]]


def spoiled_scores(
    protocol: Protocol, severities: int, clean: Sequence[np.ndarray], spoiled: Sequence[np.ndarray]
) -> dict[str, Spoiled]:
    """The protocol's metrics, from each unit's confusion (K, K) on clean clips and those (M, K, K) on spoiled ones.

    M: every corruption with every one of the severities.
    """
    found = {}
    for name, compute in metric_functions(protocol, list(registry().metrics.values())).items():
        scores = np.asarray(compute(np.stack(spoiled))).mean(axis=0).reshape(len(CORRUPTIONS), severities)
        found[name] = Spoiled(
            clean=_rounded(float(np.mean(compute(np.stack(clean))))),
            by_corruption={
                corruption: tuple(map(_rounded, row)) for corruption, row in zip(CORRUPTIONS, scores, strict=True)
            },
        )
    return found


def confusions_of(taken: PredictedClasses, labels: Labels, protocol: Protocol) -> np.ndarray:
    """The confusion of each way, (M, K, K)."""
    true = true_classes(taken.ids, labels, protocol)
    return np.stack([confusion_matrix(true, column, len(protocol.classes)) for column in taken.predicted.T])


def vote_scores(
    metrics: Sequence[MetricSpec], targets: Sequence[np.ndarray], probabilities: Sequence[np.ndarray]
) -> dict[str, MeanScore]:
    """Metrics against votes (N, K), the mean over units, which were all asked about the same clips.

    So that these count once for the interval.
    """
    found = {}
    for metric in metrics:
        compute = compute_of_targets(metric)
        pairs = list(zip(targets, probabilities, strict=True))
        mean = float(np.mean([compute(*pair) for pair in pairs]))
        found[metric.name] = _mean_score(mean, together([spread_of_targets(compute, *pair) for pair in pairs]))
    return found


def agreements(targets: Sequence[np.ndarray], predicted: Sequence[np.ndarray]) -> list[Agreement]:
    """Right predictions by how many annotators agree, over votes' shares (N, K) and predicted classes (N,)."""
    shares = np.concatenate(targets)
    right = right_by_plurality(shares, np.concatenate(predicted))
    return [
        Agreement(agreement=round(level, 1), predictions=count, right=_rounded(share))
        for level, count, share in by_agreement(shares, right)
    ]


def judged_by(votes: Votes, predictions: Predictions) -> tuple[np.ndarray, np.ndarray]:
    """Votes' shares (N, K) and predicted classes (N,) of those clips that have votes."""
    known = [number for number, name in enumerate(predictions.ids) if name in votes]
    shares = np.array([votes[predictions.ids[number]] for number in known])
    return shares.reshape(len(known), predictions.probabilities.shape[1]), predictions.predicted[known]


def confidence_of(
    units: Sequence[UnitRecord], protocol: Protocol, predictions: Sequence[Predictions], labels: Labels
) -> Confidence:
    """What the units' confidence in their test predictions is worth, by the labels."""
    targets = [true_classes(own.ids, labels, protocol) for own in predictions]
    metrics = {}
    for name in SELECTIVE:
        compute = compute_of_targets(registry().metrics[name])
        values = [compute(true, own.probabilities) for true, own in zip(targets, predictions, strict=True)]
        shared: dict[str, list[Spread]] = {}
        for unit, true, own in zip(units, targets, predictions, strict=True):
            spread = spread_of_targets(compute, true, own.probabilities, own.cluster_numbers)
            shared.setdefault(unit.splits.test.sha256, []).append(spread)
        weights = [len(own) / len(units) for own in shared.values()]
        # Units of the same clips count these once; sets of clips are independent of each other.
        metrics[name] = _mean_score(float(np.mean(values)), combined(list(map(together, shared.values())), weights))
    curves = [risk_coverage(true, own.probabilities, COVERAGES) for true, own in zip(targets, predictions, strict=True)]
    return Confidence(metrics=metrics, curve=tuple(map(_rounded, np.mean(curves, axis=0))))


def true_classes(ids: Sequence[str], labels: Labels, protocol: Protocol) -> np.ndarray:
    """The class index (N,) of each clip; every one has a label."""
    place = {name: number for number, name in enumerate(protocol.classes)}
    return np.array([place[labels[name]] for name in ids], dtype=np.int64)


def _mean_score(mean: float, spread: Spread) -> MeanScore:
    low, high = (_rounded(end) if math.isfinite(end) else None for end in symmetric_interval(mean, spread))
    return MeanScore(mean=_rounded(mean), low=low, high=high)


def _rounded(value: float) -> float:
    return round(float(value), DECIMALS) + 0.0
