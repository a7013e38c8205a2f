"""Showing progress on stderr: bars on a terminal, plain lines in a log."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from benchmark.cli.output import note, printable, terminal
from benchmark.scoring.scores import SplitScores
from benchmark.specs import ReportProgress
from benchmark.units.pretraining import PretrainingUnit
from benchmark.units.unit import Unit
from benchmark.watcher import Watcher


def _bars() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(file=terminal()),
    )


@contextlib.contextmanager
def counting(what: str) -> Iterator[ReportProgress]:
    """A `report(done, total)` for one countable job."""
    if sys.stderr.isatty():
        with _bars() as bars:
            task = bars.add_task(what, total=None)
            yield lambda done, total: bars.update(task, completed=done, total=total)
        return
    # What is over at once needs no line in a log.
    shown, last = False, time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal shown, last
        if (shown and done == total) or time.monotonic() - last > (10 if shown else 2):
            shown, last = True, time.monotonic()
            note(f"{what}: {done}/{total}")

    yield report


class Terminal(Watcher):
    """Watches a run: one bar over all units, one for each unit at work, one line per finished unit."""

    def __init__(self) -> None:
        self._asked = 0
        self._todo = 0
        self._finished = 0
        self._failed: list[tuple[Unit, str]] = []
        self._epochs: Mapping[str, int] = {}
        self._best: dict[str, float] = {}
        self._rows: dict[str, TaskID] = {}
        self._bars: Progress | None = None
        self._all = TaskID(0)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.ended()

    def exit_code(self) -> int:
        """1 if a unit failed, which is also said."""
        for unit, reason in self._failed:
            note(f"failed: {unit.folder}: {reason}")
        if self._failed:
            note(f"{len(self._failed)} of {self._asked} units failed; the same command tries them again")
        return 1 if self._failed else 0

    def note(self, message: str) -> None:
        """On stderr, above the bars."""
        if self._bars:
            self._bars.console.print(message, highlight=False, markup=False)
        else:
            note(message)

    def counting(self, what: str) -> AbstractContextManager[ReportProgress]:
        """A bar, or lines in a log."""
        return counting(what)

    def planned(self, units: Sequence[Unit], todo: Sequence[Unit], epochs: Mapping[str, int]) -> None:
        """The bar over all units begins."""
        self._asked += len(units)
        self._todo, self._finished, self._epochs = len(todo), 0, epochs
        if sys.stderr.isatty():
            self._bars = _bars()
            self._all = self._bars.add_task("units", total=len(todo))
            self._bars.start()

    def ended(self) -> None:
        """The bars end."""
        if self._bars:
            self._bars.stop()
            self._bars = None
            self._rows.clear()

    def started(self, unit: Unit, done: int) -> None:
        """The unit begins, or resumes after `done` epochs."""
        if self._bars:
            self._rows[unit.identity] = self._bars.add_task(_name(unit), total=None)
        else:
            note(f"{_name(unit)}: {f'resuming after epoch {done}' if done else 'starting'}")

    def step(self, unit: Unit, epoch: int, iteration: int, iterations: int) -> None:
        """One training iteration is over."""
        if self._bars:
            total = self._epochs[unit.identity]
            best = self._best.get(unit.identity)
            metric = unit.protocol.selection.metric
            self._bars.update(
                self._rows[unit.identity],
                description=f"{_name(unit)} epoch {epoch}/{total}"
                + (f" {unit.protocol.watched_split} {metric} {100 * best:.1f}" if best is not None else ""),
                completed=(epoch - 1) * iterations + iteration,
                total=total * iterations,
            )

    def epoch(self, unit: Unit, row: Mapping[str, Any]) -> None:
        """One epoch is over."""
        metric = unit.protocol.selection.metric
        value = row["val"].get(metric)
        split = unit.protocol.watched_split
        if value is not None:
            self._best[unit.identity] = max(value, self._best.get(unit.identity, 0.0))
        if not self._bars:
            score = f"{split} {metric} {100 * value:.2f}  " if value is not None else ""
            note(
                f"{_name(unit)}: epoch {row['epoch']}/{self._epochs[unit.identity]}  loss {row['loss']:.3f}  "
                f"{score}{row['seconds']:.1f} s"
            )

    def predicting(self, unit: Unit, done: int, total: int) -> None:
        """Batches of val and test predicted so far."""
        if self._bars:
            description = f"{_name(unit)} predicting"
            self._bars.update(self._rows[unit.identity], description=description, completed=done, total=total)

    def scored(self, unit: Unit, scores: SplitScores) -> None:
        """The unit is finished."""
        values = "  ".join(f"{name} {100 * estimate.value:.2f}" for name, estimate in scores.metrics.items())
        self._finish(unit, f"{_name(unit)}: test {values}")

    def finished_elsewhere(self, unit: Unit) -> None:
        """Another worker has finished the unit."""
        self._finish(unit, f"{_name(unit)}: finished by another worker")

    def failed(self, unit: Unit, reason: str) -> None:
        """The unit failed; the others continue."""
        self._failed.append((unit, reason))
        self._finish(unit, f"{_name(unit)}: FAILED: {reason}")

    def pretraining_epoch(self, unit: PretrainingUnit, row: Mapping[str, Any], epochs: int) -> None:
        """A line."""
        note(f"epoch {row['epoch']}/{epochs}  loss {row['loss']:.4f}  {row['seconds']:.1f} s")

    def _finish(self, unit: Unit, text: str) -> None:
        self._finished += 1
        text = f"[{self._finished}/{self._todo}] {text}"
        if not self._bars:
            note(text)
            return
        self._bars.console.print(printable(text), highlight=False, markup=False)
        self._bars.advance(self._all)
        if unit.identity in self._rows:
            self._bars.remove_task(self._rows.pop(unit.identity))


def _name(unit: Unit) -> str:
    return f"{unit.variant} {unit.labels} seed {unit.seed} fold {unit.fold}"
