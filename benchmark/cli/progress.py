"""Showing progress on stderr: bars on a terminal, plain lines in a log."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmark.cli.output import note
from benchmark.run.units import Unit
from benchmark.scoring.scores import SplitScores
from benchmark.specs import ReportProgress


def _bars() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


@contextlib.contextmanager
def counting(what: str) -> Iterator[ReportProgress]:
    """A `report(done, total)` for one countable job."""
    if sys.stderr.isatty():
        with _bars() as bars:
            task = bars.add_task(what, total=None)
            yield lambda done, total: bars.update(task, completed=done, total=total)
        return
    note(f"{what} ...")
    last = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal last
        if done == total or time.monotonic() - last > 10:
            last = time.monotonic()
            note(f"{what}: {done}/{total}")

    yield report


class RunProgress:
    """Watches a run: one bar over units, one over the current unit's iterations, one line per finished unit."""

    def __init__(self, units: int, epochs: Mapping[str, int], metric: str) -> None:
        self._units = units
        self._epochs = epochs
        self._metric = metric
        self._number = 0
        self._unit: Unit | None = None
        self._best: float | None = None
        self._bars = _bars() if sys.stderr.isatty() else None
        if self._bars:
            self._all = self._bars.add_task("units", total=units)
            self._one = self._bars.add_task("", total=None, visible=False)

    def __enter__(self) -> RunProgress:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars:
            self._bars.stop()

    def skipped(self) -> None:
        """A unit was finished before."""
        self._advance()

    def started(self, unit: Unit, done: int) -> None:
        """The unit begins, or resumes after `done` epochs."""
        self._unit, self._best = unit, None
        resumed = f", resuming after epoch {done}" if done else ""
        if self._bars:
            self._bars.update(self._one, description=self._name(), completed=0, total=None, visible=True)
        else:
            note(f"[{self._number + 1}/{self._units}] {self._name()}{resumed}")

    def step(self, epoch: int, iteration: int, iterations: int) -> None:
        """One training iteration is over."""
        if self._bars and self._unit:
            total = self._epochs[self._unit.row]
            best = f" val {self._metric} {100 * self._best:.1f}" if self._best is not None else ""
            self._bars.update(
                self._one,
                description=f"{self._name()} epoch {epoch}/{total}{best}",
                completed=(epoch - 1) * iterations + iteration,
                total=total * iterations,
            )

    def epoch(self, row: Mapping[str, Any]) -> None:
        """One epoch is over."""
        value = row["val"][self._metric]
        self._best = max(value, self._best or 0.0)
        if not self._bars and self._unit:
            total = self._epochs[self._unit.row]
            note(
                f"    epoch {row['epoch']}/{total}  loss {row['loss']:.3f}  val {self._metric} {100 * value:.2f}  "
                f"{row['seconds']:.1f} s"
            )

    def predicting(self, done: int, total: int) -> None:
        """Batches of val and test predicted so far."""
        if self._bars:
            self._bars.update(self._one, description=f"{self._name()} predicting", completed=done, total=total)

    def scored(self, unit: Unit, scores: SplitScores) -> None:
        """The unit is finished."""
        values = "  ".join(f"{name} {100 * estimate.value:.2f}" for name, estimate in scores.metrics.items())
        self._line(f"[{self._number + 1}/{self._units}] {self._name()}: test {values}")
        self._advance()

    def failed(self, unit: Unit, error: Exception) -> None:
        """The unit failed; the others go on."""
        self._line(f"[{self._number + 1}/{self._units}] {self._name()} FAILED: {error}")
        self._advance()

    def _name(self) -> str:
        if self._unit is None:
            return ""
        return f"{self._unit.row} {self._unit.labels} seed {self._unit.seed} fold {self._unit.fold}"

    def _line(self, text: str) -> None:
        if self._bars:
            self._bars.console.print(text, highlight=False, markup=False)
        else:
            note(text)

    def _advance(self) -> None:
        self._number += 1
        if self._bars:
            self._bars.advance(self._all)
            self._bars.update(self._one, visible=False)
