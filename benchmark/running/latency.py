"""The latency of a finished run's model, on this device."""

from __future__ import annotations

import numpy as np

from benchmark.errors import IntegrityError, UsageError
from benchmark.plugin_functions import make_recipe
from benchmark.records import Record, protocol_of
from benchmark.records.further import Latency
from benchmark.registry import registry
from benchmark.running.again import unit_of
from benchmark.running.machine import Resources
from benchmark.running.provenance import package_versions
from benchmark.specs import ReportProgress
from benchmark.units.presets import preset_of_unit


def measure_latency(record: Record, resources: Resources, report: ReportProgress) -> Latency:
    """The times of a record's model, the median after a warm-up.

    Raises UsageError for a record that predicts a clip by several looks at it, IntegrityError where the method that is
    installed builds another model than the record's.
    """
    from benchmark.training.devices import compute_by, hardware, has_bf16, use_device
    from benchmark.training.latency import REPEATS, WARM_UP, predicting_times

    if record.method.views:
        raise UsageError(f"tested over {record.method.views}: one clip is no single prediction there")
    found = use_device(resources.device)
    computing = resources.computing_on(has_bf16())
    compute_by(computing)
    unit = unit_of(record, record.units[0])
    preset, classes = preset_of_unit(unit), len(protocol_of(record).classes)
    recipe = make_recipe(registry().find("methods", unit.method).recipe, preset, classes)
    times = predicting_times(recipe, preset, classes, computing, report)
    _check_model(times.parameters, times.gflops, record)
    machine = hardware()
    low, median, high = (round(1000 * float(value), 4) for value in np.quantile(times.single, (0.25, 0.5, 0.75)))
    return Latency(
        identity=record.units[0].identity,
        device=machine["processor"] if found == "cpu" else found,
        hardware=machine,
        computing=computing,
        torch=package_versions()["torch"],
        warm_up=WARM_UP,
        repeats=REPEATS,
        milliseconds=median,
        low=low,
        high=high,
        batch=preset.batch_size,
        clips_per_second=round(preset.batch_size / float(np.median(times.batch)), 4),
    )


def _check_model(parameters: int, gflops: float, record: Record) -> None:
    stated = record.method
    if stated.parameters != parameters or (stated.gflops is not None and abs(stated.gflops - gflops) > 2e-6):
        raise IntegrityError(
            f"{stated.name}: the model that is built here has {parameters:,} parameters and {gflops:g} GFLOPs, the "
            f"record's {stated.parameters:,} and {stated.gflops}: install the version that made the record"
        )
