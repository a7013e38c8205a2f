"""Metrics of confidence: would a model that keeps silent where it is unsure be right where it speaks?

A prediction's confidence is the probability of its top class. Labels are class indices (N,), probabilities (N, K), in
the protocol's class order. Predictions of equal confidence are accepted in random order: scores are expectations over
it. Without any clip every score is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmark.scoring.distributions import normalised
from benchmark.scoring.probabilities import checked

COVERAGE = 0.8


def augrc(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Area under the generalised risk-coverage curve, 0..0.5: the mean share of clips that are accepted and wrong.

    Over all shares of clips that may be accepted, the surest first. Equals AUROC-like separation and accuracy taken
    together: (1 - AUROC) acc (1 - acc) + (1 - acc)^2 / 2.
    Source: Traub et al., Overcoming Common Flaws in the Evaluation of Selective Classification Systems, NeurIPS 2024.
    """
    accepted, wrong = _curve(labels, probabilities)
    return float(np.diff(accepted) @ (wrong[1:] + wrong[:-1]) / 2) if len(accepted) > 1 else float("nan")


def risk_at_80(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Share of wrong predictions, 0..1, among the 80 % of clips of which the model is surest.

    Source: Geifman and El-Yaniv, Selective Classification for Deep Neural Networks, NeurIPS 2017.
    """
    accepted, wrong = _curve(labels, probabilities)
    return float(np.interp(COVERAGE, accepted, wrong)) / COVERAGE if len(accepted) > 1 else float("nan")


def risk_coverage(labels: np.ndarray, probabilities: np.ndarray, coverages: Sequence[float]) -> np.ndarray:
    """Share of wrong predictions, 0..1, among the surest clips, at each of some shares of all clips, which are above 0.

    Source: El-Yaniv and Wiener, On the Foundations of Noise-free Selective Classification, JMLR 2010.
    """
    accepted, wrong = _curve(labels, probabilities)
    return np.interp(coverages, accepted, wrong) / np.asarray(coverages)


def shared_doubt(votes: np.ndarray, probabilities: np.ndarray) -> float:
    """Spearman's rank correlation, -1..1, of the model's doubt and the annotators': 1 - confidence and votes' entropy.

    0 where either is the same for all clips.
    Source: Peterson et al., Human Uncertainty Makes Classification More Robust, ICCV 2019 (entropy of the votes).
    """
    from scipy.stats import entropy, spearmanr  # takes longer to import than all else here together

    shares, predicted = normalised(votes, probabilities)
    if not len(shares):
        return float("nan")
    # Equal values differ in their last digits when they are summed in another order, and would not tie.
    doubt, disagreement = np.round(1 - predicted.max(axis=1), 9), np.round(entropy(shares, axis=1), 9)
    if np.ptp(doubt) == 0 or np.ptp(disagreement) == 0:
        return 0.0
    return float(spearmanr(doubt, disagreement).statistic)


def _curve(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of all clips, (M + 1,) each, that are accepted, and accepted and wrong, at each of M thresholds."""
    labels = checked(labels, probabilities)
    confidence = probabilities.max(axis=1) if len(labels) else np.zeros(0)
    wrong = probabilities.argmax(axis=1) != labels if len(labels) else np.zeros(0)
    thresholds, place = np.unique(-confidence, return_inverse=True)
    counts = np.bincount(place, minlength=len(thresholds))
    errors = np.bincount(place, weights=wrong, minlength=len(thresholds))
    accepted, accepted_wrong = (
        np.concatenate([[0.0], values.cumsum() / max(len(labels), 1)]) for values in (counts, errors)
    )
    return accepted, accepted_wrong
