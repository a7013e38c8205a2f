"""How long a model takes for its predictions, on the device of this process.

From decoded frames in the machine's memory to probabilities: copying them to the device, normalising and the model;
reading a video is left out. The frames are made up, and the weights are random: neither changes the time. One clip at a
time, and a batch at a time, are the scenarios `SingleStream` and `Offline` of Reddi et al., MLPerf Inference Benchmark,
ISCA 2020.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from benchmark.specs import Preset, Recipe, ReportProgress
from benchmark.training.computing import compute_in
from benchmark.training.trial import Trial
from benchmark.units.computing import Computing

WARM_UP, REPEATS = 5, 30
BATCH_WARM_UP, BATCH_REPEATS = 1, 5


@dataclass(frozen=True)
class Times:
    """Seconds of each prediction after the warm-up, of one clip and of a batch, and the size of the model."""

    single: np.ndarray
    batch: np.ndarray
    parameters: int
    gflops: float


def predicting_times(
    recipe: Recipe, preset: Preset, classes: int, computing: Computing, report: ReportProgress
) -> Times:
    """Time the model of a recipe; the process computes as `compute_by` has it, and the model by `computing`."""
    trial = Trial(recipe, preset, classes)
    parameters, gflops = trial.parameters(), round(trial.gflops(), 6)
    trial.model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    compute_in(trial.model, computing)
    total = WARM_UP + REPEATS + BATCH_WARM_UP + BATCH_REPEATS
    taken: list[float] = []
    for clips, times in ((1, WARM_UP + REPEATS), (preset.batch_size, BATCH_WARM_UP + BATCH_REPEATS)):
        batch = trial.clips(clips)
        for _ in range(times):
            report(len(taken), total)
            start = time.perf_counter()
            trial.scores(batch)  # in the machine's memory again, so that the device has finished
            taken.append(time.perf_counter() - start)
    report(total, total)
    single, together = np.split(np.array(taken), [WARM_UP + REPEATS])
    return Times(single[WARM_UP:], together[BATCH_WARM_UP:], parameters, gflops)
