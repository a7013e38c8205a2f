"""95 % intervals of scores: the jackknife over what is independent, and Wilson's interval for one proportion.

What is independent is a *resampling unit*: a clip, or all clips (or frames) that share a video, subject or source where
the protocol names one. Each is left out once, and how much the score moves says how uncertain it is: no random numbers,
so that anyone finds a stored interval again. Coverage is measured in `timings/intervals.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Z95 = 1.959963984540054  # The normal distribution's 97.5 % point.
# A score that moves by less when a unit is left out has not moved: sums in another order differ by that much.
STILL = 1e-13


@dataclass(frozen=True)
class Spread:
    """How uncertain a score is: `variance` and `bias` of its estimate, and the variance's degrees of `freedom`.

    units: number of resampling units. A single one says nothing about the variance, which is infinite then.
    """

    variance: float
    bias: float
    freedom: float
    units: int


def jackknife(
    value: float, left_out: np.ndarray, times: np.ndarray | None = None, strata: np.ndarray | None = None
) -> Spread:
    """The spread of a score `value` from the scores `left_out` (G,) without each resampling unit.

    times: how many units (G,) each of them stands for; one, if left out. strata: the number (G,) of the stratum of
    each, where the test set fixes how many units a stratum has; one of a single unit cannot vary.

    The variance is the delete-one jackknife's, the bias too (Efron and Tibshirani, An Introduction to the Bootstrap,
    1993, chapter 11). A few large units can decide a variance; its degrees of freedom follow from its own variance,
    that is from the fourth moment (Satterthwaite, An Approximate Distribution of Estimates of Variance Components,
    Biometrics 1946), and are n - 1 at most.
    """
    counts = np.ones(len(left_out)) if times is None else np.asarray(times, dtype=np.float64)
    if strata is None:
        return _jackknife(value, left_out, counts)
    parts = [_jackknife(value, left_out[own], counts[own]) for own in (strata == k for k in np.unique(strata))]
    parts = [Spread(0.0, 0.0, 1.0, 1) if part.units < 2 else part for part in parts]
    return combined(parts, [1.0] * len(parts))


def _jackknife(value: float, left_out: np.ndarray, counts: np.ndarray) -> Spread:
    units = int(counts.sum())
    if units < 2:
        return Spread(math.inf, 0.0, 1.0, units)
    mean = float(counts @ left_out) / units
    moves = left_out - mean
    moves = np.where(np.abs(moves) < STILL, 0.0, moves)
    squares = float(counts @ moves**2)
    bias = (units - 1) * (mean - value)
    if squares == 0:
        return Spread(0.0, bias, units - 1.0, units)
    kurtosis = units * float(counts @ moves**4) / squares**2
    freedom = min(2 * units / (kurtosis - 1), units - 1.0) if kurtosis > 1 + 1e-9 else units - 1.0
    return Spread((units - 1) / units * squares, bias, freedom, units)


def combined(spreads: Sequence[Spread], weights: Sequence[float]) -> Spread:
    """The spread of a weighted sum of independent scores; degrees of freedom by Satterthwaite's rule."""
    parts = [weight**2 * spread.variance for spread, weight in zip(spreads, weights, strict=True)]
    units = sum(spread.units for spread in spreads)
    variance = math.fsum(parts)
    bias = math.fsum(weight * spread.bias for spread, weight in zip(spreads, weights, strict=True))
    if not 0 < variance < math.inf:
        return Spread(variance, bias, max((spread.freedom for spread in spreads), default=1.0), units)
    doubt = math.fsum((part / variance) ** 2 / spread.freedom for part, spread in zip(parts, spreads, strict=True))
    return Spread(variance, bias, 1 / doubt, units)


def together(spreads: Sequence[Spread]) -> Spread:
    """The spread of a mean of scores on the same clips, of which only each one's own spread is known: the widest that
    is possible, as if all erred on the same clips."""
    return Spread(
        variance=float(np.mean([math.sqrt(spread.variance) for spread in spreads])) ** 2,
        bias=float(np.mean([spread.bias for spread in spreads])),
        freedom=min(spread.freedom for spread in spreads),
        units=min(spread.units for spread in spreads),
    )


def interval(value: float, spread: Spread) -> tuple[float, float]:
    """95 % interval of a score in 0..1.

    Student's t on the scale of log-odds, so that it stays inside 0..1, drawn out by the estimated bias on the side
    where the bias puts the truth (macro-F1 of few videos is biased downwards by half a standard error). Where no unit
    moves the score, as when every clip is right, it is Wilson's interval of so many units; with one unit, all of 0..1.
    """
    if spread.variance == math.inf:
        return 0.0, 1.0
    if spread.variance == 0 or not 0 < value < 1:
        return wilson_interval(value * spread.units, spread.units)
    slope = value * (1 - value)
    half = t_quantile(spread.freedom) * math.sqrt(spread.variance) / slope
    centre, bias = math.log(value / (1 - value)), spread.bias / slope
    return _expit(centre - half - max(bias, 0.0)), _expit(centre + half + max(-bias, 0.0))


def symmetric_interval(value: float, spread: Spread) -> tuple[float, float]:
    """95 % interval of a score without bounds, by Student's t; (-inf, inf) where nothing is known of its spread."""
    half = t_quantile(spread.freedom) * math.sqrt(spread.variance) if spread.variance < math.inf else math.inf
    return value - half, value + half


def t_quantile(freedom: float) -> float:
    """The 97.5 % point of Student's t."""
    from scipy.special import stdtrit  # takes longer to import than all else here together

    return float(stdtrit(freedom, 0.975))


def wilson_interval(successes: float, total: int) -> tuple[float, float]:
    """95 % interval of a proportion; `total` must be positive.

    Source: Wilson, Probable Inference, the Law of Succession, and Statistical Inference, JASA 1927 (no continuity
    correction). Unlike the normal interval it stays inside 0..1 and keeps a width at 0 and 1.
    """
    if not 0 <= successes <= total or total < 1:
        raise ValueError(f"{successes} of {total} is not a proportion")
    p, z2 = successes / total, Z95**2
    centre = (p + z2 / (2 * total)) / (1 + z2 / total)
    half = Z95 / (1 + z2 / total) * math.sqrt(p * (1 - p) / total + z2 / (4 * total**2))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == total else min(1.0, centre + half)
    return low, high


def _expit(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
