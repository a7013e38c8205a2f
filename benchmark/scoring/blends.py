"""Blends: which emotions a clip shows, and which of two is the stronger.

Class probabilities become an answer by two thresholds, as in the official code of BlEmoRe. Of the two most probable
classes the second one counts if its probability reaches the first threshold; two that differ by no more than the
second one are equally strong. A class that is shown alone only (`neutral`) is answered alone: of it and another one,
the more probable. Thresholds are those of a grid that score best on validation clips.

Answers are numbered as `benchmark.protocol.blends.blend_names` lists them; confusions (..., A, A) count true answers in
rows and given ones in columns. Source: Lachmann et al., Not all Blends are Equal, arXiv:2601.13225, 2026.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from benchmark.protocol.blends import blend_pairs
from benchmark.scoring.metrics import confusion_matrix

# The official grid, the same for both thresholds.
GRID = tuple(np.linspace(0.05, 0.95, 20).tolist())


def given_blends(probabilities: np.ndarray, classes: Sequence[str], presence: float, salience: float) -> np.ndarray:
    """The answers (N,) that class probabilities (N, K) give by the two thresholds.

    Of equally probable classes the one with the lowest index comes first.
    """
    values = probabilities.astype(np.float64)
    order = np.argsort(-values, axis=1, kind="stable")
    first, second = order[:, 0], order[:, 1]
    rows = np.arange(len(values))
    stronger, equal = _answer_tables(classes)
    both = (values[rows, second] >= presence) & (equal[first, second] >= 0)
    alike = values[rows, first] - values[rows, second] <= salience
    return np.where(both, np.where(alike, equal[first, second], stronger[first, second]), first)


def fit_thresholds(true: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]) -> tuple[float, float]:
    """The presence and the salience threshold under which true answers (N,) are given best, by `blend_score`.

    Of equally good ones it is the lowest presence threshold, and with it the lowest salience threshold.
    """
    size = len(classes) + 3 * len(blend_pairs(classes))
    pairs = list(product(GRID, GRID))
    confusions = [confusion_matrix(true, given_blends(probabilities, classes, *pair), size) for pair in pairs]
    return pairs[int(np.argmax(blend_score(np.stack(confusions))))]


def presence(confusion: np.ndarray) -> np.ndarray:
    """Share of clips, (...) in 0..1, for which exactly the emotions that are there are given, however strong each is.

    The official ACC_presence. NaN without any clip.
    """
    alone, blended = _parts(confusion)
    right = np.trace(alone, axis1=-2, axis2=-1) + np.einsum("...paqb,pq->...", blended, np.eye(blended.shape[-2]))
    with np.errstate(invalid="ignore"):
        return right / confusion.sum(axis=(-2, -1))


def salience(confusion: np.ndarray) -> np.ndarray:
    """Share of blended clips, (...) in 0..1, for which both emotions are given, and which is stronger; 0 without any.

    The official ACC_salience.
    """
    start = _alone(confusion.shape[-1])
    clips = confusion[..., start:, :].sum(axis=(-2, -1))
    right = np.trace(confusion[..., start:, start:], axis1=-2, axis2=-1)
    return np.divide(right, clips, out=np.zeros(np.shape(clips)), where=clips > 0)


def blend_score(confusion: np.ndarray) -> np.ndarray:
    """The mean of presence and salience, (...) in 0..1, by which the official code chooses thresholds and epochs."""
    return (presence(confusion) + salience(confusion)) / 2


def _answer_tables(classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Answers (K, K) for a stronger class (row) and a weaker one, and for two equal ones; -1 where there is none."""
    stronger, equal = np.full((2, len(classes), len(classes)), -1)
    for number, (one, other) in enumerate(blend_pairs(classes)):
        start = len(classes) + 3 * number
        stronger[one, other], stronger[other, one] = start, start + 2
        equal[one, other] = equal[other, one] = start + 1
    return stronger, equal


def _parts(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The counts of single answers (..., K, K), and those of blends (..., P, 3, P, 3) by pair and kind."""
    start = _alone(confusion.shape[-1])
    pairs = (confusion.shape[-1] - start) // 3
    blended = confusion[..., start:, start:].reshape(*confusion.shape[:-2], pairs, 3, pairs, 3)
    return confusion[..., :start, :start], blended


def _alone(answers: int) -> int:
    """How many of so many answers are single classes: all of K can be blended, or all but one."""
    mixed = next(n for n in range(2, answers) if n + 3 * n * (n - 1) // 2 + 1 >= answers)
    return answers - 3 * mixed * (mixed - 1) // 2
