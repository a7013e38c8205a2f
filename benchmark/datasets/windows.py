"""Windows: a video that is labelled frame by frame, cut into clips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.protocol import Windows
from benchmark.specs import Clip


@dataclass(frozen=True)
class Window:
    """`length` frames of a video from frame number `start` on, and the numbers of those `frames` that are labelled."""

    id: str
    start: int
    length: int
    frames: tuple[int, ...]


def cut(clip: Clip, windows: Windows) -> list[Window]:
    """The windows of a video, from its first labelled frame to its last, each holding at least one.

    The last one is moved back to end at the last labelled frame (never before the first), so that every labelled frame
    lies in at least one window.
    """
    assert clip.frame_labels is not None
    numbers = np.array(sorted(clip.frame_labels))
    first, last = int(numbers[0]), int(numbers[-1])
    final = max(first, last - windows.length + 1)
    starts = [*range(first, final, windows.length - windows.overlap), final]
    result = []
    for start in starts:
        end = start + windows.length
        inside = numbers[np.searchsorted(numbers, start) : np.searchsorted(numbers, end)]
        if inside.size:
            name = f"{clip.id}/{start:05d}-{end - 1:05d}"
            result.append(Window(name, start, windows.length, tuple(inside.tolist())))
    return result


def most_frequent(labels: Mapping[int, str], frames: Sequence[int], classes: Sequence[str]) -> str:
    """The label that most of `frames` have; of equally frequent ones the first in `classes`."""
    counts = Counter(labels[number] for number in frames)
    return max(classes, key=lambda name: counts[name])
