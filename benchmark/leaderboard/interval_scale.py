"""Intervals drawn beside their numbers: what is drawn, and the scale that the rows of one table share."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from benchmark.records import Summary
from benchmark.scoring.scores import Estimate

# A scale ends at multiples of one twentieth, which is 5 %.
STEPS = 20


@dataclass(frozen=True)
class Interval:
    """A score and its 95 % interval, in 0..1."""

    low: float
    value: float
    high: float


@dataclass(frozen=True)
class Scale:
    """The scores, in 0..1, at the two ends of an axis."""

    low: float
    high: float

    def place(self, score: float) -> str:
        """Where a score lies on the axis, as a length for SVG."""
        return f"{100 * (score - self.low) / (self.high - self.low):.2f}%"


def interval_of(score: Summary | Estimate | None) -> Interval | None:
    """A score's interval; None where there is no score."""
    if score is None:
        return None
    return Interval(score.low, score.mean if isinstance(score, Summary) else score.value, score.high)


def fit(intervals: Iterable[Interval | None]) -> Scale | None:
    """The smallest scale that all intervals fit on; None if there are none."""
    ends = [end for interval in intervals if interval for end in (interval.low, interval.value, interval.high)]
    if not ends:
        return None
    first = min(math.floor(STEPS * min(ends)), STEPS - 1)
    last = max(math.ceil(STEPS * max(ends)), first + 1)
    return Scale(first / STEPS, last / STEPS)
