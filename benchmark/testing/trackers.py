"""Checks of a tracker: told all that can happen to units, it follows, changes nothing, and costs a run nothing."""

from __future__ import annotations

import contextlib
import functools
import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.errors import EnvironmentProblem
from benchmark.failures import Interrupted, one_line
from benchmark.fence import PluginFault, fenced, load_object
from benchmark.planning.demo import demo
from benchmark.processes import SIGNALS
from benchmark.registry import registry
from benchmark.scoring.scores import SplitScores, score_confusion
from benchmark.specs import TrackerSpec
from benchmark.testing.check import CheckFailed, Skipped, require
from benchmark.testing.units import Ran, UnitChecks
from benchmark.trackers.together import Together
from benchmark.units.pretraining import PretrainingUnit
from benchmark.units.state import METRICS
from benchmark.units.unit import Unit
from benchmark.watcher import MakeWatcher, Watcher

EPOCHS, STEPS, BATCHES = 3, 2, 4
# Seconds after which a process that is told of a run is said to hang, and one that was told everything to linger.
HANGS, LINGERS = 120, 30


class TrackerChecks:
    """Of one tracker: told of units that were made up for it, and of one that is really run."""

    def __init__(self, spec: TrackerSpec) -> None:
        self.spec = spec
        self.units = UnitChecks(registry().methods[demo().rows[0]["method"]], "small")

    def made(self, name: str) -> Watcher:
        """The tracker, for a folder of its own; Skipped where its package or an account is missing."""
        return made_by(self.spec.watcher, self.units.place / name / "runs")

    @functools.cached_property
    def story(self) -> Story:
        """What it is told of."""
        first, second, third = (self.units.planned("told", seeds=(seed,)).unit for seed in range(3))
        specs = [registry().metrics[name] for name in first.protocol.metrics]
        confusion = np.eye(len(first.protocol.classes), dtype=int)
        return Story((first, second, third), pretraining(first), score_confusion(confusion, first.protocol, specs))

    def watcher(self) -> None:
        """It gives a watcher for a folder that need not be there yet."""
        made = self.made("made")
        require(
            isinstance(made, Watcher), f"gives a {type(made).__name__}, not a benchmark.Watcher: derive it from that"
        )

    def whole_run(self) -> None:
        """It is told of a run from its beginning to its end, and of a pre-training."""
        self.story.of_a_run(self.made("whole"))
        self.story.of_a_pretraining(self.made("pretraining"))

    def side_by_side(self) -> None:
        """Units that run at the same time are told of in turns, and an epoch may be told after a failure."""
        told, (first, second, _) = Told(self.made("together")), self.story.units
        told.planned((first, second), (first, second), dict.fromkeys((first.identity, second.identity), EPOCHS))
        for unit in (first, second):
            told.started(unit, 0)
        for epoch in range(1, EPOCHS + 1):
            for unit in (first, second):
                told.epoch(unit, self.story.row(epoch))
            if epoch == 1:
                told.failed(second, "out of memory")
        told.scored(first, self.story.scores)
        told.ended()

    def resume(self) -> None:
        """A unit that was interrupted goes on with a new watcher, also after epochs that the first was not told of."""
        first = self.story.units[0]
        before = Told(self.made("resumed"))
        before.started(first, 0)
        before.epoch(first, self.story.row(1))
        before.ended()
        self._finished_epochs("resumed", 2)
        after = Told(self.made("resumed"))
        after.planned((first,), (first,), {first.identity: EPOCHS})
        after.started(first, 2)
        after.epoch(first, self.story.row(3))
        after.scored(first, self.story.scores)
        after.ended()

    def leaves_alone(self) -> None:
        """What it is told stays as it was, and so does what a unit's folder holds."""
        folder = self._finished_epochs("alone", EPOCHS)
        before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        rows = self.story.of_a_run(self.made("alone"))
        changed = [epoch for epoch, row in rows if row != self.story.row(epoch)]
        require(
            not changed,
            f"it changes the row of epoch {''.join(map(str, changed[:1]))}, which others are told too: copy it",
        )
        after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        touched = sorted(path.name for path in before.keys() | after.keys() if before.get(path) != after.get(path))
        require(
            not touched,
            f"it writes into a unit's folder: {', '.join(touched)}; a folder of its own beside the units' is its place",
        )

    def ends(self) -> None:
        """When everything has ended, it keeps no process from ending."""
        self._alone(self.units.place / "ends" / "runs", "once everything has ended")

    def fails_alone(self) -> None:
        """Where it cannot write, it fails by an error, which costs the run nothing."""
        blocked = self.units.place / "blocked"
        blocked.parent.mkdir(parents=True, exist_ok=True)
        blocked.write_text("not a folder", encoding="utf-8")
        self._alone(blocked / "runs", "where nothing can be written")

    def same_run(self) -> None:
        """A unit that is tracked leaves what one does that is not."""
        planned = self.units.planned("tracked")
        self._same(lambda: planned.run(self.made("tracked")), "a unit that it follows")

    def resumed_run(self) -> None:
        """So does one that is interrupted after an epoch and continued, followed by a new watcher each time."""
        planned = self.units.planned("interrupted")

        def run() -> Ran:
            with contextlib.suppress(Interrupted):
                planned.run(_InterruptedAfterOneEpoch(Watcher(), {self.spec.name: self.made("interrupted")}))
            return planned.run(self.made("interrupted"))

        self._same(run, "a unit that is interrupted and continued")

    def _same(self, run: Callable[[], Ran], what: str) -> None:
        reference = self.units.reference  # first, because a tracker may leave something behind
        try:
            differs = reference.differs(run())
        except Skipped:
            raise
        except Exception as error:
            raise CheckFailed(f"{what} fails: {type(error).__name__}: {one_line(error)}") from error
        require(
            not differs,
            f"{what} differs in {differs}: it changes what training depends on, such as torch's settings",
        )

    def _finished_epochs(self, name: str, count: int) -> Path:
        """The first unit's folder, with its metrics of that many epochs."""
        folder = self.units.place / name / "runs" / self.story.units[0].folder
        folder.mkdir(parents=True, exist_ok=True)
        rows = [self.story.row(epoch) for epoch in range(1, count + 1)]
        (folder / METRICS).write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
        return folder

    def _alone(self, folder: Path, when: str) -> None:
        """Tell it of a run in a process of its own, which must come to its end, and end."""
        self.made("made")
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=_tell, args=(self.spec.watcher, folder, self.story, there))
        process.start()
        there.close()
        heard = here.poll(HANGS)
        told = heard and _received(here)
        process.join(LINGERS if heard else 0)
        lingers = process.is_alive()
        process.kill()
        process.join()
        require(heard, f"{when}, it hangs: nothing more was told for {HANGS} s")
        require(told, f"{when}, it ends the process that runs units, with {process.exitcode}: raise an error instead")
        require(
            not lingers,
            f"{when}, the process does not end: a thread of it is still at work; make it a daemon, or end it",
        )


@dataclass(frozen=True)
class Story:
    """What trackers are told of: units, a pre-training, and a unit's scores."""

    units: tuple[Unit, Unit, Unit]
    pretraining: PretrainingUnit
    scores: SplitScores

    def row(self, epoch: int) -> dict[str, Any]:
        """A line of metrics.jsonl."""
        val = {name: epoch / 10 for name in self.units[0].protocol.metrics}
        return {"epoch": epoch, "loss": 2.0 / epoch, "seconds": 0.5, "val": val}

    def of_a_run(self, watcher: Watcher) -> list[tuple[int, dict[str, Any]]]:
        """Units of which the first is trained, the second fails and the third is finished by another worker.

        The rows that were told, with their epochs.
        """
        told, (first, second, third) = Told(watcher), self.units
        rows: list[tuple[int, dict[str, Any]]] = []
        epochs = {unit.identity: EPOCHS for unit in self.units}
        told.note("3 units, 0 finished before")
        told.planned(self.units, self.units, epochs)
        for unit, last in ((first, EPOCHS), (second, 1)):
            told.started(unit, 0)
            for epoch in range(1, last + 1):
                for iteration in range(1, STEPS + 1):
                    told.step(unit, epoch, iteration, STEPS)
                rows.append((epoch, self.row(epoch)))
                told.epoch(unit, rows[-1][1])
        for batch in range(BATCHES + 1):
            told.predicting(first, batch, BATCHES)
        told.scored(first, self.scores)
        told.failed(second, "out of memory: a batch of 32 does not fit")
        told.finished_elsewhere(third)
        told.ended()
        return rows

    def of_a_pretraining(self, watcher: Watcher) -> None:
        """Its epochs, which have no scores."""
        told = Told(watcher)
        for epoch in range(1, EPOCHS + 1):
            row = {"epoch": epoch, "loss": 2.0 / epoch, "seconds": 0.5}
            told.pretraining_epoch(self.pretraining, row, EPOCHS)
        told.ended()


class Told:
    """A watcher whose failures say of what it was told; `told.epoch(...)` is `watcher.epoch(...)`."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    def __getattr__(self, event: str) -> Callable[..., None]:
        def tell(*arguments: Any) -> None:
            with fenced(f"told of `{event}`"):
                getattr(self._watcher, event)(*arguments)

        return tell


class _InterruptedAfterOneEpoch(Together):
    def epoch(self, unit: Unit, row: Mapping[str, Any]) -> None:
        super().epoch(unit, row)
        raise Interrupted


def made_by(watcher: str, folder: Path) -> Watcher:
    """What the function at that import path gives; Skipped where it says that something is missing here."""
    function: MakeWatcher = load_object(watcher)
    try:
        return function(folder)
    except PluginFault:
        raise
    except EnvironmentProblem as missing:
        raise Skipped(str(missing)) from missing


def pretraining(unit: Unit) -> PretrainingUnit:
    """A made-up one of the unit's method."""
    return PretrainingUnit(
        method=unit.method,
        method_version=unit.method_version,
        pretraining="made-up",
        preset=unit.preset,
        seed=0,
        data="0" * 64,
        source="videos",
        classes=(),
        synthetic=True,
    )


def _tell(watcher: str, folder: Path, story: Story, report: Connection) -> None:
    """Tell the tracker of a run as a run does, and report the end; in a process of its own with no stdout."""
    os.dup2(2, 1)
    # A signal that the tracker sends must end the process, whatever was inherited.
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    with contextlib.suppress(EnvironmentProblem, OSError):
        # What cannot even begin is refused before anything runs.
        story.of_a_run(Together(Watcher(), {"tracker": made_by(watcher, folder)}))
    report.send(True)


def _received(report: Connection) -> bool:
    """Whether the end was reported; a process that died reports nothing."""
    try:
        return bool(report.recv())
    except EOFError:
        return False
