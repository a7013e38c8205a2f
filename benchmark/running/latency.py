"""How long a finished run's model takes for a prediction, on this device.

From decoded frames in the machine's memory to probabilities: copying them to the device, normalising and the model;
reading a video is left out. The frames are made up, and the weights are random: neither changes the time. One clip at a
time, and a batch at a time, are the scenarios `SingleStream` and `Offline` of Reddi et al., MLPerf Inference Benchmark,
ISCA 2020.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.errors import IntegrityError, UsageError
from benchmark.plugin_functions import make_recipe
from benchmark.records import Record, protocol_of
from benchmark.records.further import Latency
from benchmark.registry import registry
from benchmark.running.again import unit_of
from benchmark.running.machine import Resources
from benchmark.specs import ReportProgress
from benchmark.units.presets import preset_of_unit

if TYPE_CHECKING:
    from benchmark.training.trial import Trial

WARM_UP, REPEATS = 5, 30
BATCH_WARM_UP, BATCH_REPEATS = 1, 5


def measure_latency(record: Record, resources: Resources, report: ReportProgress) -> Latency:
    """The times of a record's model, the median after a warm-up.

    Raises UsageError for a record that predicts a clip by several looks at it, IntegrityError where the method that is
    installed builds another model than the record's.
    """
    import torch

    from benchmark.training.computing import compute_in
    from benchmark.training.devices import compute_by, hardware, has_bf16, use_device
    from benchmark.training.trial import Trial

    if record.method.views:
        raise UsageError(f"tested over {record.method.views}: one clip is no single prediction there")
    found = use_device(resources.device)
    computing = resources.computing_on(has_bf16())
    compute_by(computing)
    unit = unit_of(record, record.units[0])
    preset, classes = preset_of_unit(unit), len(protocol_of(record).classes)
    trial = Trial(make_recipe(registry().find("methods", unit.method).recipe, preset, classes), preset, classes)
    _check_model(trial, record)
    trial.model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    compute_in(trial.model, computing)
    total, done = WARM_UP + REPEATS + BATCH_WARM_UP + BATCH_REPEATS, 0

    def seconds(clips: int, warm_up: int, repeats: int) -> np.ndarray:
        nonlocal done
        batch = trial.clips(clips)
        taken = []
        for _ in range(warm_up + repeats):
            report(done, total)
            taken.append(_timed(lambda: trial.scores(batch)))
            done += 1
        return np.array(taken[warm_up:])

    single = 1000 * seconds(1, WARM_UP, REPEATS)
    batch = preset.batch_size
    together = seconds(batch, BATCH_WARM_UP, BATCH_REPEATS)
    report(total, total)
    machine = hardware()
    low, median, high = (round(float(value), 4) for value in np.quantile(single, (0.25, 0.5, 0.75)))
    return Latency(
        identity=record.units[0].identity,
        device=machine["processor"] if found == "cpu" else found,
        hardware=machine,
        computing=computing,
        torch=torch.__version__,
        warm_up=WARM_UP,
        repeats=REPEATS,
        milliseconds=median,
        low=low,
        high=high,
        batch=batch,
        clips_per_second=round(batch / float(np.median(together)), 4),
    )


def _timed(predict: Callable[[], Any]) -> float:
    """Seconds; what is predicted comes back to the machine's memory, so that the device has finished."""
    start = time.perf_counter()
    predict()
    return time.perf_counter() - start


def _check_model(trial: Trial, record: Record) -> None:
    stated = record.method.parameters, record.method.gflops
    built = trial.parameters(), round(trial.gflops(), 6)
    if stated[0] != built[0] or (stated[1] is not None and abs(stated[1] - built[1]) > 1e-6 * max(1, stated[1])):
        raise IntegrityError(
            f"{record.method.name}: the model that is built here has {built[0]:,} parameters and {built[1]:g} GFLOPs, "
            f"the record's {stated[0]:,} and {stated[1]}: install the version that made the record"
        )
