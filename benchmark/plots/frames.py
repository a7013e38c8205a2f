"""Some frames of a clip in a row, above what is said of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Rectangle

from benchmark.plots.style import SMALL
from benchmark.video.clip import Box

# Inches that the row takes, and how many frames it has.
STRIP = 1.3
SHOWN = 6


def below_frames(
    figure: Figure,
    high: float,
    frames: Sequence[tuple[int, np.ndarray]],
    titles: Sequence[str],
    boxes: Sequence[Box | None] | None = None,
) -> SubFigure:
    """Draw frames in a new figure that has room for them; returns what lies below, `high` inches.

    frames: (H, W, 3), uint8 RGB, with their numbers; there may be none. boxes: of each frame of the clip its face.
    """
    if not frames:
        return figure.add_subfigure(figure.add_gridspec(1, 1)[0])
    figure.set_figheight(figure.get_figheight() + STRIP)
    grid = figure.add_gridspec(2, 1, height_ratios=(STRIP, high))
    row = figure.add_subfigure(grid[0]).subplots(1, len(frames), squeeze=False)[0]
    for axes, (number, frame), title in zip(row, frames, titles, strict=True):
        axes.imshow(frame)
        axes.set_axis_off()
        axes.set_title(title, fontsize=SMALL)
        box = boxes[number] if boxes else None
        if box is not None:
            left, top, right, bottom = box
            for colour, width in (("white", 2.0), ("black", 0.8)):
                frame_of = Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=colour)
                frame_of.set_linewidth(width)
                axes.add_patch(frame_of)
    return figure.add_subfigure(grid[1])


def evenly(count: int, shown: int = SHOWN) -> list[int]:
    """`shown` frame numbers out of `count`, in the middle of equal parts; all of them if there are fewer."""
    return [int((k + 0.5) * count / shown) for k in range(shown)] if count > shown else list(range(count))
