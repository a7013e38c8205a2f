"""A clip over time: which emotions are seen in it, frame by frame, below some of its frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from benchmark.plots.frames import below_frames
from benchmark.plots.style import draw_as_shapes, finish, label_inches, new_figure, plain, styled
from benchmark.video.clip import Box

DOTS = 60


@styled()
def timeline_figure(
    probabilities: ArrayLike,
    classes: Sequence[str],
    title: str,
    *,
    rate: float | None = None,
    frames: Sequence[tuple[int, np.ndarray]] = (),
    boxes: Sequence[Box | None] | None = None,
) -> Figure:
    """Probabilities over time as colours, classes from top to bottom, with a dot on each frame's most probable one.

    probabilities: (F, K) in 0..1, one row for each frame of the clip; rows of NaN where nothing was predicted.
    rate: frames in a second; None: time is counted in frames. frames: some frames (H, W, 3), uint8 RGB, with their
    numbers, shown above. boxes: of each frame of the clip the face that was looked at, drawn into these.
    """
    shares = np.asarray(probabilities, dtype=np.float64)
    if shares.ndim != 2 or shares.shape[1] != len(classes) or not len(shares):
        raise ValueError(f"probabilities of shape {shares.shape} for {len(classes)} classes")
    names = [plain(name) for name in classes]
    high = 0.3 * len(classes) + 0.8
    figure = new_figure(7.2 + label_inches(names), high, title)
    lower = below_frames(figure, high, frames, [_time(number, rate) for number, _ in frames], boxes)
    axes = lower.add_subplot()
    unit = rate or 1.0
    # Probabilities change where a window begins or ends, so that an hour needs few cells.
    known = np.nan_to_num(shares, nan=-1)
    first = np.flatnonzero(np.r_[True, (known[1:] != known[:-1]).any(axis=1)])
    # A model that is never sure would be dark all over on a scale to 100 %.
    top = max(10, 10 * np.ceil(10 * known.max()))
    mesh = axes.pcolormesh(
        np.r_[first, len(shares)] / unit,
        np.arange(len(classes) + 1) - 0.5,
        100 * shares[first].T,
        cmap="cividis",
        vmin=0,
        vmax=top,
    )
    best = np.where(np.isnan(shares).any(axis=1), np.nan, np.nan_to_num(shares).argmax(axis=1))
    # Enough dots to follow, few enough to tell apart.
    seen = np.arange(0, len(shares), -(-len(shares) // DOTS))
    axes.plot((seen + 0.5) / unit, best[seen], "o", color="white", markeredgecolor="black", markersize=4)
    axes.set_yticks(range(len(classes)), names)
    axes.set_ylim(len(classes) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("seconds (dots: the most probable class)" if rate else "frame (dots: the most probable class)")
    bar = lower.colorbar(mesh, ax=axes, pad=0.015, aspect=14)
    bar.set_label("probability, %")
    draw_as_shapes(bar)
    return finish(figure)


def over_time(pieces: Sequence[tuple[int, int, Sequence[float]]], count: int) -> np.ndarray:
    """Probabilities (F, K) of each of `count` frames: the mean over the windows that hold it, NaN where none does.

    pieces: windows as their first and last frame, counted from 0, with their probabilities (K,).
    """
    sums, numbers = np.zeros((count, len(pieces[0][2]))), np.zeros((count, 1))
    for first, last, values in pieces:
        sums[first : last + 1] += values
        numbers[first : last + 1] += 1
    return np.divide(sums, numbers, out=np.full(sums.shape, np.nan), where=numbers > 0)


def _time(number: int, rate: float | None) -> str:
    return f"{number / rate:.1f} s" if rate else f"frame {number}"
