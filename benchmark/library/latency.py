"""`benchmark.latency`: how long a finished run's model takes for a prediction."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from benchmark.errors import UsageError
from benchmark.records import read_record, record_path
from benchmark.records.further import Latency
from benchmark.running.further import keep_result, place_of_results
from benchmark.running.latency import measure_latency
from benchmark.running.machine import Resources
from benchmark.units.precision import Precision
from benchmark.watcher import Watcher


def latency(
    run: Path | str,
    *,
    device: str = "auto",
    precision: Precision | Literal["auto"] = "auto",
    threads: int = 1,
    watcher: Watcher | None = None,
) -> Latency:
    """Measure the prediction of one clip, and of a batch, on a device; neither data nor checkpoints are needed.

    run: a record, or the folder that holds it; the result is kept as that of `benchmark.robustness`, one for each
    device and way of computing, and changes nothing of the record. precision, threads: as for `benchmark.run`.

    Raises UsageError for a run without a finished unit or of several looks at a clip, EnvironmentProblem for a device
    that is not there, IntegrityError where the installed method builds another model.
    """
    path = record_path(Path(run))
    record = read_record(path)
    if not record.units:
        raise UsageError(f"{path}: has no finished unit, so there is no model to measure")
    with (watcher or Watcher()).counting("measuring") as report:
        found = measure_latency(record, Resources(device, precision=precision, threads=threads), report)
    keep_result(place_of_results(path.parent, record) / found.file, found)
    return found
