"""Frame-wise scoring: predictions of windows, brought to the frames that they hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from benchmark.datasets.scored import frame_id
from benchmark.scoring.predictions import Predictions


def to_frames(windows: Mapping[str, np.ndarray], frames: Mapping[str, Sequence[int]]) -> Predictions:
    """Predictions of windows as predictions of frames: for each frame the mean over the windows that hold it.

    windows: by window id, `<clip-id>/<start>-<end>`, its class probabilities (K,), or those (N, K) of its labelled
    frames. frames: the N labelled frame numbers of each window.
    """
    sums: dict[str, np.ndarray] = {}
    counts: Counter[str] = Counter()
    for window, probabilities in windows.items():
        video, numbers = window.rpartition("/")[0], frames[window]
        rows = np.broadcast_to(probabilities.astype(np.float64), (len(numbers), probabilities.shape[-1]))
        for number, row in zip(numbers, rows, strict=True):
            frame = frame_id(video, number)
            sums[frame] = sums[frame] + row if frame in sums else row
            counts[frame] += 1
    ids = tuple(sorted(sums))
    means = np.stack([sums[frame] / counts[frame] for frame in ids])
    return Predictions(ids, means.astype(np.float32))
