"""A run: every unit asked for, one after the other; a unit that fails costs only itself."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.errors import BenchmarkError, EnvironmentProblem
from benchmark.run.execute import Machine, Watcher, run_unit
from benchmark.run.plan import Data
from benchmark.run.state import is_done, load_state
from benchmark.run.units import Unit

# Less free space than this after a failed write means that the disk is full.
FULL_DISK_BYTES = 16 * 2**20


@dataclass
class Outcome:
    """Which units are finished, and why the others are not."""

    done: list[Unit] = field(default_factory=list)
    failed: list[tuple[Unit, str]] = field(default_factory=list)


def unfinished(units: Sequence[Unit], runs: Path) -> list[Unit]:
    """The units that still have something to do; raises IntegrityError for a folder that holds other work."""
    return [unit for unit in units if not is_done(runs / unit.folder, load_state(runs / unit.folder, unit))]


def run_units(todo: Sequence[Unit], data: Data, machine: Machine, watcher: Watcher) -> Outcome:
    """Run every unit; KeyboardInterrupt and a full disk end the run, everything else only the unit."""
    outcome = Outcome()
    for unit in todo:
        try:
            run_unit(unit, data.folds[unit.fold], machine, watcher)
        # A unit runs foreign code (plugins, models): whatever it raises must not stop the others.
        except Exception as error:
            _stop_when_disk_full(error, machine.runs)
            watcher.failed(unit, error)
            outcome.failed.append((unit, _message(error)))
        else:
            outcome.done.append(unit)
    return outcome


def _message(error: Exception) -> str:
    return str(error) if isinstance(error, BenchmarkError) else f"{type(error).__name__}: {error}"


def _stop_when_disk_full(error: Exception, runs: Path) -> None:
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    # torch reports a failed write as a RuntimeError without the reason.
    if not full and isinstance(error, RuntimeError) and "writ" in str(error):
        full = shutil.disk_usage(runs).free < FULL_DISK_BYTES
    if full:
        raise EnvironmentProblem(
            f"no space left in {runs}; nothing finished is lost: free some space and run the same command again"
        ) from error
