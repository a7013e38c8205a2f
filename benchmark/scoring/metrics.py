"""Metrics as pure functions of confusion counts.

A confusion is an integer array (..., K, K): rows are true classes, columns predicted ones, in the protocol's class
order. Leading axes are a batch, so that thousands of bootstrap resamples are scored in one call. With TP_k the
diagonal, n_k the row sums and m_k the column sums:

    recall_k    = TP_k / n_k                 UAR         = mean of recall_k over classes with n_k > 0
    precision_k = TP_k / m_k                 WAR         = sum_k TP_k / sum_k n_k
    F1_k        = 2 TP_k / (n_k + m_k)       macro-F1    = mean of F1_k over classes with n_k > 0
                                             weighted F1 = sum_k n_k F1_k / sum_k n_k
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

# A class with fewer test clips than this says little: a single clip moves its recall by more than 3 %.
FEW_CLIPS = 30


def confusion_matrix(labels: ArrayLike, predicted: ArrayLike, num_classes: int) -> np.ndarray:
    """Counts (K, K) of clips by true class (row) and predicted class (column), from two index vectors (N,)."""
    true, guess = np.asarray(labels, dtype=np.int64), np.asarray(predicted, dtype=np.int64)
    if true.shape != guess.shape or true.ndim != 1:
        raise ValueError(f"labels {true.shape} and predicted {guess.shape} must be vectors of equal length")
    if true.size and (min(true.min(), guess.min()) < 0 or max(true.max(), guess.max()) >= num_classes):
        raise ValueError(f"class indices must lie in 0..{num_classes - 1}")
    cells = np.bincount(true * num_classes + guess, minlength=num_classes**2)
    return cells.reshape(num_classes, num_classes)


def per_class_recall(confusion: np.ndarray) -> np.ndarray:
    """Recall of each class, (..., K) in 0..1; NaN for a class without true clips, where recall is undefined."""
    correct = np.diagonal(confusion, axis1=-2, axis2=-1)
    total = confusion.sum(axis=-1)
    return np.divide(correct, total, out=np.full(total.shape, np.nan), where=total > 0)


def per_class_precision(confusion: np.ndarray) -> np.ndarray:
    """Precision of each class, (..., K) in 0..1; NaN for a class that is never predicted, where it is undefined."""
    return per_class_recall(np.swapaxes(confusion, -1, -2))


def per_class_f1(confusion: np.ndarray) -> np.ndarray:
    """F1 of each class, (..., K) in 0..1; 0 for a class that is neither in the labels nor predicted."""
    correct = np.diagonal(confusion, axis1=-2, axis2=-1)
    total = confusion.sum(axis=-1) + confusion.sum(axis=-2)
    return np.divide(2.0 * correct, total, out=np.zeros(total.shape), where=total > 0)


def uar(confusion: np.ndarray) -> np.ndarray:
    """Unweighted average recall, (...) in 0..1: the mean recall over the class list.

    A class without true clips has no recall and is left out of the mean; equals scikit-learn's
    `recall_score(average="macro", labels=<classes with true clips>)`. NaN without any clip.
    Source: Schuller et al., The INTERSPEECH 2009 Emotion Challenge, section 3; Jiang et al., DFEW, ACM MM 2020.
    """
    recall = per_class_recall(confusion)
    defined = ~np.isnan(recall)
    with np.errstate(invalid="ignore"):
        return recall.sum(axis=-1, where=defined) / defined.sum(axis=-1)


def war(confusion: np.ndarray) -> np.ndarray:
    """Weighted average recall, (...) in 0..1: recall weighted by class size, which is accuracy.

    NaN without any clip. Source: as for UAR.
    """
    with np.errstate(invalid="ignore"):
        return np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum(axis=(-2, -1))


def macro_f1(confusion: np.ndarray) -> np.ndarray:
    """Mean F1 over the class list, (...) in 0..1.

    A class without true clips is left out of the mean, as in UAR: no answer could give it another F1 than 0. Predicting
    it still costs the classes whose clips are missed. Equals scikit-learn's
    `f1_score(average="macro", labels=<classes with true clips>, zero_division=0)`. NaN without any clip.
    Source: Opitz and Burst, Macro F1 and Macro F1, 2019, "averaged F1" (the mean of F1 scores, not the F1 of means).
    """
    present = confusion.sum(axis=-1) > 0
    with np.errstate(invalid="ignore"):
        return per_class_f1(confusion).sum(axis=-1, where=present) / present.sum(axis=-1)


def weighted_f1(confusion: np.ndarray) -> np.ndarray:
    """Mean F1 of the classes weighted by their numbers of true clips, (...) in 0..1.

    Equals scikit-learn's `f1_score(average="weighted", zero_division=0)`. NaN without any clip.
    """
    clips = confusion.sum(axis=-1)
    with np.errstate(invalid="ignore"):
        return (per_class_f1(confusion) * clips).sum(axis=-1) / clips.sum(axis=-1)


def group_confusion(confusion: np.ndarray, classes: Sequence[str], groups: Mapping[str, Sequence[str]]) -> np.ndarray:
    """Counts (..., G, G) by group: a prediction is right when it falls in the label's group.

    groups: a partition of `classes`; the order of its keys is the order of the rows and columns.
    """
    members = membership(classes, groups).astype(confusion.dtype)
    return members @ confusion @ members.T


def membership(classes: Sequence[str], groups: Mapping[str, Sequence[str]]) -> np.ndarray:
    """Integers (G, K): 1 where the class is in the group; ValueError if `groups` is not a partition of `classes`."""
    members = np.array([[list(names).count(name) for name in classes] for names in groups.values()], dtype=np.int64)
    if sorted(name for names in groups.values() for name in names) != sorted(classes):
        raise ValueError(f"groups {dict(groups)} must hold each of {list(classes)} exactly once")
    return members
