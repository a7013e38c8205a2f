"""Frame-wise scoring: predictions of windows, brought to the frames that they hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from benchmark.datasets.scored import frame_id
from benchmark.scoring.predictions import Predictions


def to_frames(predictions: Predictions, frames: Mapping[str, Sequence[int]]) -> Predictions:
    """Predictions of windows as predictions of frames: for each frame the mean over the windows that hold it.

    frames: the labelled frame numbers of each window, by window id `<clip-id>/<start>-<end>`.
    """
    sums: dict[str, np.ndarray] = {}
    counts: Counter[str] = Counter()
    for window, probabilities in zip(predictions.ids, predictions.probabilities.astype(np.float64), strict=True):
        video = window.rpartition("/")[0]
        for number in frames[window]:
            frame = frame_id(video, number)
            sums[frame] = sums[frame] + probabilities if frame in sums else probabilities
            counts[frame] += 1
    ids = tuple(sorted(sums))
    means = np.stack([sums[frame] / counts[frame] for frame in ids])
    return Predictions(ids, means.astype(np.float32))
