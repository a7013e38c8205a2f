"""A contact sheet: some frames of a clip with the boxes that were found, above the crops that were made of them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

COLUMNS = 8
TILE = 160
# One colour for each person, then again.
COLOURS = ((230, 60, 60), (60, 140, 230), (60, 180, 90), (220, 160, 40), (160, 90, 210))


def sheet_frames(count: int) -> list[int]:
    """The frames that a sheet shows of a clip of `count`: its first, its last, and others between."""
    return sorted(set(np.linspace(0, count - 1, min(COLUMNS, count)).round().astype(int).tolist()))


def draw_sheet(
    columns: Sequence[tuple[int, np.ndarray, Sequence[np.ndarray | None], Sequence[np.ndarray | None]]],
) -> np.ndarray:
    """The sheet, uint8 RGB: a column for each frame, below it a crop for each person.

    columns: the frame's index, the frame (H, W, 3), and for each person the box (4,) and the crop; None where there
    is none.
    """
    return np.hstack([_column(*column) for column in columns])


def _column(
    index: int, frame: np.ndarray, boxes: Sequence[np.ndarray | None], crops: Sequence[np.ndarray | None]
) -> np.ndarray:
    height, width = frame.shape[:2]
    scale = TILE / max(height, width)
    small = cv2.resize(
        frame, (max(round(width * scale), 1), max(round(height * scale), 1)), interpolation=cv2.INTER_AREA
    )
    for number, box in enumerate(boxes):
        if box is not None:
            corners = [(round(float(x * scale)), round(float(y * scale))) for x, y in (box[:2], box[:2] + box[2:])]
            cv2.rectangle(small, corners[0], corners[1], COLOURS[number % len(COLOURS)], 2)
    tile = np.full((TILE, TILE, 3), 255, np.uint8)
    tile[: small.shape[0], : small.shape[1]] = small
    _write(tile, f"{index + 1}", (4, TILE - 6))
    below = []
    for number, crop in enumerate(crops):
        part = np.full((TILE, TILE, 3), 235, np.uint8)
        if crop is None:
            _write(part, "no face", (34, TILE // 2))
        else:
            part[:] = cv2.resize(crop, (TILE, TILE), interpolation=cv2.INTER_AREA)
            cv2.rectangle(part, (0, 0), (TILE - 1, TILE - 1), COLOURS[number % len(COLOURS)], 2)
        below.append(part)
    return np.pad(np.vstack([tile, *below]), ((2, 2), (2, 2), (0, 0)), constant_values=255)


def _write(tile: np.ndarray, text: str, place: tuple[int, int]) -> None:
    for thickness, colour in ((4, (255, 255, 255)), (1, (0, 0, 0))):
        cv2.putText(tile, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.6, colour, thickness, cv2.LINE_AA)
