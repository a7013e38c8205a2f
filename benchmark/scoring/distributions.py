"""Metrics of class probabilities against annotators' votes: how well a model knows how much people disagree.

Votes v and predictions p are (N, K) in the protocol's class order. Both are divided by their row's sum first, since
stored float32 probabilities sum to 1 only nearly. Where a logarithm of p is taken, p is clipped below at the smallest
normal float32 (about 1.2e-38), so that a class which has votes and no probability costs much, but not infinitely much.
Each score is a mean over clips, NaN without any clip. Of divergences and the Brier score 0 is best, of the
cross-entropy the votes' own entropy.
"""

from __future__ import annotations

import numpy as np

TINY = float(np.finfo(np.float32).tiny)


def soft_cross_entropy(votes: np.ndarray, probabilities: np.ndarray) -> float:
    """Cross-entropy -sum_k v_k ln p_k, in nats.

    Source: Peterson et al., Human Uncertainty Makes Classification More Robust, ICCV 2019.
    """
    shares, predicted = normalised(votes, probabilities)
    return _mean(-(shares * np.log(np.maximum(predicted, TINY))))


def kl(votes: np.ndarray, probabilities: np.ndarray) -> float:
    """Kullback-Leibler divergence of the prediction from the votes, KL(v || p) = sum_k v_k ln(v_k / p_k), in nats.

    Source: Kullback and Leibler, On Information and Sufficiency, Annals of Mathematical Statistics 1951.
    """
    from scipy.special import rel_entr

    shares, predicted = normalised(votes, probabilities)
    return _mean(rel_entr(shares, np.maximum(predicted, TINY)))


def js(votes: np.ndarray, probabilities: np.ndarray) -> float:
    """Jensen-Shannon divergence of votes and prediction, 0..1: the mean of both KL divergences to (v + p) / 2, in bits.

    Equals the square of scipy's `jensenshannon(v, p, base=2)`. Nothing is clipped: (v + p) / 2 is nowhere 0 where v
    or p is not.
    Source: Lin, Divergence Measures Based on the Shannon Entropy, IEEE Transactions on Information Theory 1991.
    """
    from scipy.special import rel_entr

    shares, predicted = normalised(votes, probabilities)
    middle = (shares + predicted) / 2
    return _mean((rel_entr(shares, middle) + rel_entr(predicted, middle)) / (2 * np.log(2)))


def soft_brier(votes: np.ndarray, probabilities: np.ndarray) -> float:
    """Brier score against votes, sum_k (v_k - p_k)^2, 0..2.

    Source: Brier, Verification of Forecasts Expressed in Terms of Probability, Monthly Weather Review 1950.
    """
    shares, predicted = normalised(votes, probabilities)
    return _mean((shares - predicted) ** 2)


def top2_votes(votes: np.ndarray, probabilities: np.ndarray) -> float:
    """Share of the votes, 0..1, for one of the two most probable classes: how often these satisfy an annotator.

    Of equally probable classes the one with the lowest index comes first. 1 is best.
    Source: the top-5 rule of Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, IJCV 2015.
    """
    shares, predicted = normalised(votes, probabilities)
    best = np.argsort(-predicted, axis=1, kind="stable")[:, :2]
    return _mean(np.take_along_axis(shares, best, axis=1))


def normalised(votes: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both (N, K) as shares that sum to 1 in each row, float64; ValueError if they cannot be."""
    if votes.shape != probabilities.shape or votes.ndim != 2:
        raise ValueError(f"votes {votes.shape} and probabilities {probabilities.shape} must be tables of equal shape")
    return _shares(votes, "votes"), _shares(probabilities, "probabilities")


def _shares(values: np.ndarray, name: str) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    total = values.sum(axis=1, keepdims=True)
    if (values < 0).any() or not (total > 0).all():
        raise ValueError(f"{name}: every row must be without negative values and have a positive sum")
    return values / total


def _mean(terms: np.ndarray) -> float:
    """Mean over clips of each clip's sum of terms (N, K)."""
    return float(terms.sum(axis=1).mean()) if len(terms) else float("nan")
