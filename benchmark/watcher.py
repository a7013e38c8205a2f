"""Watching a run or a pre-training: what progress bars and trackers are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmark.scoring.scores import SplitScores
    from benchmark.specs import ReportProgress
    from benchmark.units.pretraining import PretrainingUnit
    from benchmark.units.unit import Unit


class Watcher:
    """Told what happens; every method may be overridden, and none does anything by itself.

    Units that run side by side are told of in the order in which things happen, all from the caller's process, never
    two at the same moment.
    """

    def note(self, message: str) -> None:
        """Something that a person should know: a warning, or where a result was written."""

    def counting(self, what: str) -> AbstractContextManager[ReportProgress]:
        """A job that can be counted begins, such as making data; enters as a `report(done, total)`."""
        return nullcontext(lambda done, total: None)

    def planned(self, units: Sequence[Unit], todo: Sequence[Unit], epochs: Mapping[str, int]) -> None:
        """`todo` of `units` will be run now; `epochs` are those of each unit, by its identity."""

    def started(self, unit: Unit, done: int) -> None:
        """The unit begins, or resumes after `done` epochs."""

    def step(self, unit: Unit, epoch: int, iteration: int, iterations: int) -> None:
        """One training iteration is over; all are counted from 1."""

    def epoch(self, unit: Unit, row: Mapping[str, Any]) -> None:
        """One epoch is over; the row is a line of metrics.jsonl: `epoch`, `loss`, `seconds`, `val` scores."""

    def predicting(self, unit: Unit, done: int, total: int) -> None:
        """Batches of val and test predicted so far."""

    def scored(self, unit: Unit, scores: SplitScores) -> None:
        """The unit is finished, with its test scores."""

    def finished_elsewhere(self, unit: Unit) -> None:
        """Another worker has finished the unit."""

    def failed(self, unit: Unit, reason: str) -> None:
        """The unit failed; the others continue."""

    def ended(self) -> None:
        """The units that were planned, or the pre-training, have all ended, one way or the other."""

    def pretraining_epoch(self, unit: PretrainingUnit, row: Mapping[str, Any], epochs: int) -> None:
        """One of a pre-training's `epochs` is over; the row holds `epoch`, `loss` and `seconds`."""


# What `TrackerSpec.watcher` points at: from the folder of all units.
MakeWatcher = Callable[[Path], Watcher]
