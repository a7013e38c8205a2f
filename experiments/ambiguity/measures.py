"""What the experiment measures for each row and seed, and what can be said of it from a few seeds."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import softmax
from scipy.stats import t

from benchmark.datasets.synthetic.emotions import EMOTIONS
from benchmark.finished.rescoring import read_finished
from benchmark.scoring.distributions import kl
from experiments.ambiguity.clips import MIXTURES

LEAST = 0.001


@dataclass(frozen=True)
class Measured:
    """A row of the experiment: its name, and by seed KL(true mixture || prediction) in nats and UAR, on test."""

    label: str
    kl: Mapping[int, float]
    uar: Mapping[int, float]


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its 95 % interval, from Student's t."""

    mean: float
    low: float
    high: float


def read_mixtures(root: Path) -> dict[str, np.ndarray]:
    """The true shares (K,) of every clip, in the order of `EMOTIONS`."""
    with (root / MIXTURES).open(encoding="utf-8", newline="") as file:
        return {row["clip_id"]: np.array([float(row[name]) for name in EMOTIONS]) for row in csv.DictReader(file)}


def measure(
    label: str,
    record: Path,
    mixtures: Mapping[str, np.ndarray],
    change: Callable[[np.ndarray], np.ndarray] = lambda probabilities: probabilities,
) -> Measured:
    """Scores of a finished row from its stored predictions, (N, K) of which `change` makes others of the same order."""
    run = read_finished(record, "test")
    divergences, recalls = {}, {}
    for unit, predictions in zip(run.units, run.predictions, strict=True):
        truth = np.stack([mixtures[clip] for clip in predictions.ids])
        divergences[unit.seed] = kl(truth, change(predictions.probabilities))
        recalls[unit.seed] = unit.scores.test.metrics["uar"].value
    return Measured(label, divergences, recalls)


def undo_softmax(probabilities: np.ndarray) -> np.ndarray:
    """The distributions (N, K) whose softmax was learned: ln p, moved so that its shares sum to 1.

    A model never gets the softmax of a distribution quite right; a share that comes out below `LEAST` is raised to it,
    since no divergence is finite otherwise.
    """
    logarithms = np.log(probabilities)
    shares = logarithms + (1 - logarithms.sum(axis=1, keepdims=True)) / probabilities.shape[1]
    shares = np.maximum(shares, LEAST)
    return shares / shares.sum(axis=1, keepdims=True)


def over_seeds(values: Sequence[float]) -> Interval:
    """The mean of one number for each seed; needs two seeds."""
    mean, count = float(np.mean(values)), len(values)
    half = float(t.ppf(0.975, count - 1) * np.std(values, ddof=1) / np.sqrt(count))
    return Interval(mean, mean - half, mean + half)


def difference(values: Mapping[int, float], baseline: Mapping[int, float]) -> Interval:
    """Row minus baseline, seed by seed."""
    return over_seeds([values[seed] - baseline[seed] for seed in sorted(values)])


def references(mixtures: Sequence[np.ndarray]) -> dict[str, float]:
    """KL of what could be predicted without an error: the softmax of the true mixture, and nothing at all."""
    truth = np.stack(mixtures)
    return {
        "the softmax of the true mixture": kl(truth, softmax(truth, axis=1)),
        "every emotion alike": kl(truth, np.ones_like(truth)),
    }
