"""Labels in another order: the mistake that makes a good model look worse than chance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmark.scoring.intervals import jackknife

# When classes count as swapped: see `better_permutation`. Measured on 18,000 confusions of predictions that do not
# depend on the labels (14 to 1,870 clips of DFEW's class shares, also predicting few classes): none was taken for one.
LEAST_GAIN, LEAST_RATIO, LEAST_DEVIATIONS = 0.2, 2.0, 4.0


@dataclass(frozen=True)
class Exchange:
    """Classes whose predictions fit the labels far better when they change places.

    predicted: for each class of `classes`, the one that is predicted where it is true; both are indices. recall,
    swapped: mean recall of `classes` in 0..1, as the predictions are and after the swap.
    """

    classes: tuple[int, ...]
    predicted: tuple[int, ...]
    recall: float
    swapped: float


def better_permutation(confusion: np.ndarray, clusters: np.ndarray | None = None) -> Exchange | None:
    """The classes of a confusion (K, K) whose columns seem to be swapped; None where nothing speaks for it.

    The assignment of predicted to true classes with the highest mean recall is a permutation. Each of its cycles must
    convince by itself: recall at least doubled, and higher by 0.2 and by 4 standard deviations than as it is. Recall is
    counted above what predictions of the same frequency would have without looking at the clips, so that a model that
    predicts few classes is not taken for one whose classes are swapped.

    clusters: the confusions (C, K, K) of what is independent, where single clips are not.
    """
    from scipy.optimize import linear_sum_assignment

    clips = confusion.sum(axis=1)
    known = clips > 0
    if not known.any():
        return None
    rates = confusion / np.maximum(clips, 1)[:, None]
    lift = np.where(known[:, None], rates - rates[known].mean(axis=0), 0.0)
    _, assigned = linear_sum_assignment(lift, maximize=True)
    found = [
        true
        for cycle in _cycles(assigned)
        if len(true := cycle[known[cycle]]) > 1 and _convincing(true, assigned[true], confusion, clusters, rates, lift)
    ]
    if not found:
        return None
    true = np.sort(np.concatenate(found))
    predicted = assigned[true]
    return Exchange(
        classes=tuple(true.tolist()),
        predicted=tuple(predicted.tolist()),
        recall=float(rates[true, true].mean()),
        swapped=float(rates[true, predicted].mean()),
    )


def _convincing(
    true: np.ndarray,
    predicted: np.ndarray,
    confusion: np.ndarray,
    clusters: np.ndarray | None,
    rates: np.ndarray,
    lift: np.ndarray,
) -> bool:
    gain = (lift[true, predicted] - lift[true, true]).sum()
    if clusters is None:
        # Of a class's clips, those that become right count 1 and those that become wrong -1, whichever was more likely.
        variance = ((confusion[true, true] + confusion[true, predicted]) / confusion[true].sum(axis=1) ** 2).sum()
    else:
        rest = confusion - clusters
        clips = np.maximum(rest[:, true].sum(axis=2), 1)
        gains = ((rest[:, true, predicted] - rest[:, true, true]) / clips).sum(axis=1)
        variance = jackknife(float((rates[true, predicted] - rates[true, true]).sum()), gains).variance
    return bool(
        gain >= LEAST_GAIN * len(true)
        and rates[true, predicted].mean() >= LEAST_RATIO * rates[true, true].mean()
        and gain > LEAST_DEVIATIONS * np.sqrt(variance)
    )


def _cycles(permutation: np.ndarray) -> Iterator[np.ndarray]:
    left = set(range(len(permutation)))
    while left:
        cycle = [left.pop()]
        while (following := int(permutation[cycle[-1]])) in left:
            left.remove(following)
            cycle.append(following)
        yield np.array(cycle)
