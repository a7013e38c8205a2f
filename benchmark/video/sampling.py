"""Which frames of a clip are seen: one rule for training, one deterministic rule for validation and testing."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmark.specs import Sampling


def sample_frames(count: int, sampling: Sampling, rng: Any | None) -> np.ndarray:
    """Frame indices, shape (sampling.frames,), ascending within each run, out of a clip of `count` frames.

    The clip is divided into `sampling.clips` segments. With `rng` (training; a RandomState, or `numpy.random` itself)
    each run starts at a random place inside its segment; without (validation, testing) in the segment's middle (Wang et
    al., Temporal Segment Networks, ECCV 2016). A run that leaves the clip repeats the last frame.
    """
    span = (sampling.length - 1) * sampling.stride + 1
    starts_possible = max(count - span + 1, 1)
    segment = starts_possible / sampling.clips
    if rng is None:
        starts = (segment * (np.arange(sampling.clips) + 0.5)).astype(np.int64)
    elif starts_possible >= sampling.clips:
        width = starts_possible // sampling.clips
        starts = np.arange(sampling.clips) * width + rng.randint(width, size=sampling.clips)
    else:
        starts = np.sort(rng.randint(starts_possible, size=sampling.clips))
    runs = starts[:, None] + np.arange(sampling.length) * sampling.stride
    return np.minimum(runs.reshape(-1), count - 1)


def view_frames(count: int, sampling: Sampling, segments: int) -> list[np.ndarray]:
    """The frames of each of several views of a clip, as VideoMAE's code and its descendants test.

    Of all frames at the sampling's stride, from the first one on, the views take a run each, evenly between the first
    run and the last one; of too few frames the last one is repeated. A sampling that spans the clip has one view only,
    which is then returned `segments` times.
    """
    if sampling.clips > 1:
        return [sample_frames(count, sampling, None)] * segments
    kept = np.arange(0, count, sampling.stride)
    kept = np.pad(kept, (0, max(sampling.length - len(kept), 0)), mode="edge")
    step = (len(kept) - sampling.length) / max(segments - 1, 1)
    return [kept[int(k * step) : int(k * step) + sampling.length] for k in range(segments)]


def reorder(indices: np.ndarray, order: str, rng: Any) -> np.ndarray:
    """The control conditions of a protocol's `frames.order`: `shuffled` frames, or the middle frame repeated."""
    if order == "shuffled":
        return rng.permutation(indices)
    if order == "single":
        return np.full_like(indices, indices[len(indices) // 2])
    return indices


def nearest(available: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Positions in `available` (N, ascending, not empty) of the values nearest to `wanted` (M); the lower of equals."""
    after = np.clip(np.searchsorted(available, wanted), 0, len(available) - 1)
    before = np.maximum(after - 1, 0)
    return np.where(np.abs(available[before] - wanted) <= np.abs(available[after] - wanted), before, after)
