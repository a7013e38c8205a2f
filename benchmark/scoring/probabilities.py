"""Metrics of class probabilities against labels, and groups of classes by their summed probability.

Labels are class indices (N,), probabilities (N, K); both in the protocol's class order. Without any clip every score
is NaN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmark.scoring.metrics import confusion_matrix, membership

BINS = 15


def top2(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Share of clips, 0..1, whose true class is one of the two most probable ones.

    Of equally probable classes the one with the lowest index comes first, as everywhere in scoring.
    Source: the top-5 rule of Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, IJCV 2015.
    """
    labels = checked(labels, probabilities)
    # A stable sort of the negated values keeps the order of the indices among equals.
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :2]
    return _mean((best == labels[:, None]).any(axis=1))


def ece(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Expected calibration error, 0..1: how far the top class's probability is from its accuracy.

    Clips are put into 15 equally wide bins of that probability, each open on the left: (0, 1/15], (1/15, 2/15] ...;
    the result is the mean over bins of |accuracy - mean probability|, weighted by the bins' numbers of clips.
    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, equation 3.
    """
    labels = checked(labels, probabilities)
    if not labels.size:
        return float("nan")
    confidence = probabilities.max(axis=1).astype(np.float64)
    correct = probabilities.argmax(axis=1) == labels
    bins = np.digitize(confidence, np.linspace(0, 1, BINS + 1)[1:-1], right=True)
    # Bin by bin, clips x |accuracy - confidence| is |sum of (correct - confidence)|.
    gaps = np.bincount(bins, weights=correct - confidence, minlength=BINS)
    return float(np.abs(gaps).sum() / labels.size)


def grouped_probabilities(
    probabilities: np.ndarray, classes: Sequence[str], groups: Mapping[str, Sequence[str]]
) -> np.ndarray:
    """Probabilities (N, G) of groups: the sums of their classes' probabilities, float64.

    groups: a partition of `classes`; the order of its keys is the order of the columns. ValueError if it is none.
    """
    return probabilities.astype(np.float64) @ membership(classes, groups).T


def summed_group_confusion(
    labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str], groups: Mapping[str, Sequence[str]]
) -> np.ndarray:
    """Counts (G, G) of clips by true group (row) and by the group with the largest summed probability (column).

    It can differ from `group_confusion`, the group of the most probable class: 0.4 happy, 0.3 sad, 0.3 fear is a happy
    clip, and by summed probability a negative one. Of equally probable groups the first counts.
    """
    labels = checked(labels, probabilities)
    true = membership(classes, groups).argmax(axis=0)[labels]
    predicted = grouped_probabilities(probabilities, classes, groups).argmax(axis=1)
    return confusion_matrix(true, predicted, len(groups))


def checked(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The labels as int64 (N,); ValueError unless they are class indices for probabilities (N, K)."""
    labels = np.asarray(labels, dtype=np.int64)
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1]:
        raise ValueError(f"labels {labels.shape} and probabilities {probabilities.shape} must be of equal length")
    if labels.size and not 0 <= labels.min() <= labels.max() < probabilities.shape[1]:
        raise ValueError(f"class indices must lie in 0..{probabilities.shape[1] - 1}")
    return labels


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")
