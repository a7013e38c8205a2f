"""95 % intervals: Wilson for one recall, the stratified bootstrap for any metric of a confusion."""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache

import numpy as np

from benchmark.files import canonical_json

RESAMPLES = 10_000
Z95 = 1.959963984540054  # The normal distribution's 97.5 % point.


def wilson_interval(successes: int, total: int) -> tuple[float, float]:
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


def resample(
    confusion: np.ndarray, resamples: int = RESAMPLES, stream: int = 0, clips: np.ndarray | None = None
) -> np.ndarray:
    """Bootstrap confusions (resamples, K, K) of one confusion (K, K), read-only.

    Clips are drawn with replacement within each true class (Efron and Tibshirani, An Introduction to the Bootstrap,
    1993, section 8.3). Row k then is exactly one multinomial draw of n_k clips with the row's own frequencies, so no
    clip is touched. `clips` (K) draws another number than the row's own sum.

    The draws depend on the arguments alone: the seed is the SHA-256 of canonical JSON `[confusion, clips, stream]`, and
    numpy's RandomState is the generator whose streams numpy has frozen for ever (NEP 19), which makes a stored
    interval checkable by anyone. `stream` tells apart equal confusions that must be drawn independently.

    Where a row has one non-zero cell (recall 0 or 1) nothing varies, and the interval leaves that row's uncertainty
    out; Wilson's does not.
    """
    totals = confusion.sum(axis=1) if clips is None else np.asarray(clips)
    counts = tuple(tuple(int(cell) for cell in row) for row in confusion)
    return _draw(counts, tuple(int(total) for total in totals), resamples, stream)


@lru_cache(maxsize=8)  # A record draws each fold twice: for its own interval, and for that of the mean.
def _draw(counts: tuple[tuple[int, ...], ...], totals: tuple[int, ...], resamples: int, stream: int) -> np.ndarray:
    seed = hashlib.sha256(canonical_json([counts, totals, stream]).encode()).digest()
    random = np.random.RandomState(np.frombuffer(seed, dtype="<u4"))
    drawn = np.zeros((resamples, len(counts), len(counts)), dtype=np.int64)
    for row, (cells, total) in enumerate(zip(counts, totals, strict=True)):
        used = np.flatnonzero(cells)
        if total and used.size:
            frequencies = np.asarray(cells, dtype=np.float64)[used] / sum(cells)
            drawn[:, row, used] = random.multinomial(total, frequencies, size=resamples)
    drawn.flags.writeable = False
    return drawn


def percentile_interval(samples: np.ndarray) -> tuple[float, float]:
    """The 2.5 % and 97.5 % points of `samples` (R,), linearly interpolated."""
    low, high = np.percentile(samples, [2.5, 97.5])
    return float(low), float(high)
