"""What the annotators themselves reach: the ceiling of accuracy and the floors of the metrics against votes.

Votes are whole numbers of annotators (N, K) in the protocol's class order; clips with fewer than two are left out.
Everything is an exact expectation over the choice of annotators: nothing is drawn at random.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import product
from math import comb

import numpy as np

from benchmark.scoring.distributions import js


@dataclass(frozen=True)
class Ceiling:
    """How well annotators agree on `clips` clips, in the units of the metrics that it bounds.

    war, uar, recall: of one annotator against the plurality of the others; recall (K,) by class, NaN where no plurality
    is of that class. cross_entropy: the votes' mean entropy in nats, below which no prediction's cross-entropy to them
    can lie. js: the mean Jensen-Shannon divergence of two random halves of the votes, in bits.
    """

    clips: int
    war: float
    uar: float
    recall: tuple[float, ...]
    cross_entropy: float
    js: float


def ceiling_of(votes: np.ndarray) -> Ceiling:
    """The ceiling that votes (N, K) set; ValueError for votes that are not whole, or none of two annotators or more."""
    counts = np.asarray(votes, dtype=np.float64)
    if (counts < 0).any() or (counts != np.round(counts)).any():
        raise ValueError("the votes are no numbers of annotators: one of them cannot be left out")
    counts = counts[counts.sum(axis=1) >= 2]
    if not len(counts):
        raise ValueError("no clip has two votes or more")
    agreement = one_against_the_others(counts)
    true = agreement.sum(axis=1)
    recall = np.where(true > 0, np.diag(agreement) / np.where(true > 0, true, 1), np.nan)
    shares = counts / counts.sum(axis=1, keepdims=True)
    logs = np.log(shares, where=shares > 0, out=np.zeros_like(shares))
    return Ceiling(
        clips=len(counts),
        war=float(np.trace(agreement) / len(counts)),
        uar=float(np.nanmean(recall)),
        recall=tuple(recall.tolist()),
        cross_entropy=float(-(shares * logs).sum(axis=1).mean()),
        js=split_half_js(counts),
    )


def one_against_the_others(votes: np.ndarray) -> np.ndarray:
    """The expected confusion (K, K) of an annotator (column) against the plurality of the others (row).

    Each clip weighs 1, and each of its annotators the same; classes that tie for the plurality share it.
    """
    classes = votes.shape[1]
    agreement = np.zeros((classes, classes))
    for own in range(classes):
        voted = votes[:, own] > 0
        others = votes[voted].copy()
        others[:, own] -= 1
        most = others == others.max(axis=1, keepdims=True)
        weight = votes[voted, own] / votes[voted].sum(axis=1)
        agreement[:, own] = (most / most.sum(axis=1, keepdims=True)).T @ weight
    return agreement


def by_agreement(shares: np.ndarray, right: np.ndarray) -> list[tuple[float, int, float]]:
    """WAR as a function of agreement: (agreement, clips, share of right predictions), the least agreement first.

    shares: of the votes (N, K). right: whether, or how far, each prediction is (N,). A clip's agreement is the share of
    its most voted class, rounded up to a tenth.
    """
    levels = np.ceil(np.round(shares.max(axis=1) * 10, 6)) / 10
    return [
        (float(level), int((levels == level).sum()), float(right[levels == level].mean()))
        for level in np.unique(levels)
    ]


def right_by_plurality(shares: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """How far each prediction (N,) is right by the votes' shares (N, K): 1 for their plurality, shared where it ties.

    Clips without a label have no other truth; most of the others have the plurality for a label.
    """
    most = np.isclose(shares, shares.max(axis=1, keepdims=True))
    return most[np.arange(len(predicted)), predicted] / most.sum(axis=1)


def split_half_js(votes: np.ndarray) -> float:
    """The expected Jensen-Shannon divergence, in bits, of two random halves of each clip's votes, mean over clips.

    Of an odd number of votes one half has one more.
    """
    patterns = Counter(tuple(sorted((int(count) for count in row if count), reverse=True)) for row in votes)
    return sum(_split_half(pattern) * times for pattern, times in patterns.items()) / len(votes)


def _split_half(counts: tuple[int, ...]) -> float:
    """The expectation for one clip's votes; the divergence does not depend on which class got which number."""
    size = sum(counts) // 2
    halves = np.array([half for half in product(*(range(count + 1) for count in counts)) if sum(half) == size])
    ways = np.array([np.prod([comb(count, own) for count, own in zip(counts, half, strict=True)]) for half in halves])
    values = [js(half[None], (np.array(counts) - half)[None]) for half in halves]
    return float(ways @ values / ways.sum())
