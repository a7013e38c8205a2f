"""Several watchers of one run: one that counts, and trackers that cost nothing when they fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from benchmark.errors import BenchmarkError
from benchmark.failures import one_line, show_trace
from benchmark.fence import fenced
from benchmark.scoring.scores import SplitScores
from benchmark.specs import ReportProgress
from benchmark.units.pretraining import PretrainingUnit
from benchmark.units.unit import Unit
from benchmark.watcher import Watcher


class Together(Watcher):
    """Tells a watcher and then trackers by name; one that fails is reported to the watcher and told nothing more."""

    def __init__(self, watcher: Watcher, trackers: Mapping[str, Watcher]) -> None:
        self._watcher = watcher
        self._trackers = dict(trackers)

    def note(self, message: str) -> None:
        """To the watcher and the trackers."""
        self._watcher.note(message)
        self._tell("note", message)

    def counting(self, what: str) -> AbstractContextManager[ReportProgress]:
        """The watcher's."""
        return self._watcher.counting(what)

    def planned(self, units: Sequence[Unit], todo: Sequence[Unit], epochs: Mapping[str, int]) -> None:
        """To all of them, as everything below."""
        self._watcher.planned(units, todo, epochs)
        self._tell("planned", units, todo, epochs)

    def started(self, unit: Unit, done: int) -> None:
        """See `Watcher`."""
        self._watcher.started(unit, done)
        self._tell("started", unit, done)

    def step(self, unit: Unit, epoch: int, iteration: int, iterations: int) -> None:
        """See `Watcher`."""
        self._watcher.step(unit, epoch, iteration, iterations)
        self._tell("step", unit, epoch, iteration, iterations)

    def epoch(self, unit: Unit, row: Mapping[str, Any]) -> None:
        """See `Watcher`."""
        self._watcher.epoch(unit, row)
        self._tell("epoch", unit, row)

    def predicting(self, unit: Unit, done: int, total: int) -> None:
        """See `Watcher`."""
        self._watcher.predicting(unit, done, total)
        self._tell("predicting", unit, done, total)

    def scored(self, unit: Unit, scores: SplitScores) -> None:
        """See `Watcher`."""
        self._watcher.scored(unit, scores)
        self._tell("scored", unit, scores)

    def finished_elsewhere(self, unit: Unit) -> None:
        """See `Watcher`."""
        self._watcher.finished_elsewhere(unit)
        self._tell("finished_elsewhere", unit)

    def failed(self, unit: Unit, reason: str) -> None:
        """See `Watcher`."""
        self._watcher.failed(unit, reason)
        self._tell("failed", unit, reason)

    def ended(self) -> None:
        """See `Watcher`."""
        self._watcher.ended()
        self._tell("ended")

    def pretraining_epoch(self, unit: PretrainingUnit, row: Mapping[str, Any], epochs: int) -> None:
        """See `Watcher`."""
        self._watcher.pretraining_epoch(unit, row, epochs)
        self._tell("pretraining_epoch", unit, row, epochs)

    def _tell(self, event: str, *arguments: Any) -> None:
        for name, tracker in list(self._trackers.items()):
            try:
                with fenced(f"tracker '{name}'"):
                    getattr(tracker, event)(*arguments)
            except (BenchmarkError, MemoryError, OSError) as error:
                # Failures are told from another thread than the rest, see `running.run`.
                if self._trackers.pop(name, None) is None:
                    continue
                show_trace(error)
                self._watcher.note(f"warning: {one_line(error)}; nothing more is tracked there, and the run goes on")
