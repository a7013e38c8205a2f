"""Checks of a method as it is run: units on made-up clips, trained, interrupted, poisoned and put in another order."""

from __future__ import annotations

import contextlib
import functools
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.errors import BenchmarkError
from benchmark.failures import Interrupted, one_line
from benchmark.planning.data import Data
from benchmark.planning.request import Request, Variant, check_request, plan_run, resolve_protocol
from benchmark.running.machine import Machine
from benchmark.running.run import run_units
from benchmark.running.steps import run_unit
from benchmark.scoring.predictions import read_predictions
from benchmark.specs import MethodSpec
from benchmark.testing.check import CheckFailed, Skipped, require
from benchmark.testing.made_up import PROTOCOL, classes, write_clips, write_protocol
from benchmark.units.computing import Computing
from benchmark.units.guard import TRACE
from benchmark.units.state import CHECKPOINTS, METRICS, predictions_name
from benchmark.units.unit import Unit
from benchmark.watcher import Watcher

EPOCHS, BATCH = 2, 4
TOLERANCE = 1e-4
# What dropout may change in the loss of an epoch, as a share of it.
ALIKE = 0.25


@dataclass(frozen=True)
class Ran:
    """What a unit left: probabilities (K,) by test clip, losses by epoch, and its folder."""

    scores: Mapping[str, np.ndarray]
    losses: tuple[float, ...]
    folder: Path

    def differs(self, other: Ran) -> str:
        """In what two units differ that should have left the same, to the last digit; empty if in nothing."""
        if self.losses != other.losses:
            return f"losses {self.losses} and {other.losses}"
        different = [clip for clip in self.scores if not np.array_equal(self.scores[clip], other.scores[clip])]
        return f"the predictions of {len(different)} of {len(self.scores)} test clips" if different else ""


class _InterruptedAfterOneEpoch(Watcher):
    def epoch(self, unit: Unit, row: Mapping[str, Any]) -> None:
        raise Interrupted


class UnitChecks:
    """Of one method, with its smallest preset, for two epochs; units are run when they are first asked for."""

    def __init__(self, method: MethodSpec, preset: str) -> None:
        self.method, self.preset = method, preset

    @functools.cached_property
    def _temporary(self) -> tempfile.TemporaryDirectory[str]:
        return tempfile.TemporaryDirectory(prefix="check-plugin-")

    @property
    def place(self) -> Path:
        """Where the units work; it goes when the checks do."""
        return Path(self._temporary.name)

    @functools.cached_property
    def data(self) -> Path:
        """The dataset's root."""
        return write_clips(self.place / "data")

    def planned(self, name: str, protocol: Path = PROTOCOL, data: Path | None = None, **changes: Any) -> Planned:
        """A unit that works in a folder of its own, `name`."""
        settings = (f"epochs={EPOCHS}", f"batch_size={BATCH}", "statistics=null")
        asked = {"preset": self.preset, "settings": settings, **changes}
        request = Request(str(protocol), (Variant(self.method.name),), **asked)
        check_request(request)
        (group,) = plan_run(request, resolve_protocol(request), data or self.data)
        (unit,) = group.units
        cache = self.place / "cache"
        machine = Machine(self.place / name, group.data.root, group.data.test_root, cache, "cpu", init=request.init)
        return Planned(unit, group.data, machine)

    @functools.cached_property
    def _reference(self) -> Ran | BenchmarkError:
        planned = self.planned("reference")
        try:
            return planned.run()
        except BenchmarkError as error:
            return error

    @property
    def reference(self) -> Ran:
        """The unit that the others are compared with; Skipped where there is none, which `trains` says."""
        if isinstance(self._reference, BenchmarkError):
            raise Skipped("needs a unit that runs: see the check `trains`")
        return self._reference

    def trains(self) -> None:
        """A unit runs from its clips to its scores."""
        if isinstance(self._reference, BenchmarkError):
            if self._opened():
                raise Skipped("see the check `lists-closed`")
            raise CheckFailed(one_line(self._reference)) from self._reference

    def _opened(self) -> bool:
        return any((self.place / "reference").rglob(TRACE))

    def lists_closed(self) -> None:
        """No file that holds labels is opened while the method's code runs."""
        failed = isinstance(self._reference, BenchmarkError)
        require(not self._opened(), one_line(self._reference) if isinstance(self._reference, BenchmarkError) else "")
        if failed:
            raise Skipped("needs a unit that runs: see the check `trains`")

    def test_labels(self) -> None:
        """Other labels of the test clips change neither training nor predictions."""
        reference = self.reference
        poisoned = self.planned("poisoned", data=write_clips(self.place / "poisoned-data", poisoned=True)).run()
        differs = reference.differs(poisoned)
        require(
            not differs,
            f"with other labels of the test clips in the dataset's list the method leaves other results: {differs}. It "
            "finds them although the lists are closed to it; a method may learn from what the loader gives it, and "
            "from nothing else",
        )

    def seed(self) -> None:
        """The same seed gives the same to the last digit, another seed something else."""
        reference = self.reference
        differs = reference.differs(self.planned("again").run())
        require(
            not differs,
            f"the same unit run again differs in {differs}: something draws from a generator of its own, or from the "
            "time; draw from NumPy's and torch's global ones, which the harness seeds",
        )
        other = self.planned("other-seed", seeds=(1,)).run()
        require(
            reference.differs(other), "another seed gives the same to the last digit: something seeds the generators"
        )

    def resume(self) -> None:
        """A unit that is interrupted after an epoch and continued leaves what an uninterrupted one does."""
        reference = self.reference
        planned = self.planned("interrupted")
        with contextlib.suppress(Interrupted):
            planned.run(_InterruptedAfterOneEpoch())
        differs = reference.differs(planned.run())
        require(
            not differs,
            f"interrupted after the first epoch and continued, it differs in {differs}: something that training "
            "changes is neither a parameter nor a buffer (register_buffer), so that no checkpoint holds it",
        )

    def two_processes(self) -> None:
        """Two processes that share each batch learn what one does, but for what dropout draws in each of them."""
        reference = self.reference
        planned = self.planned("together")
        machine = replace(planned.machine, computing=Computing(processes=2))
        found = replace(planned, machine=machine).run_by_several()
        require(
            abs(found.losses[0] - reference.losses[0]) <= ALIKE * reference.losses[0],
            f"trained by two processes that share each batch, the first epoch's loss is {found.losses[0]:.4f}, by one "
            f"it is {reference.losses[0]:.4f}: see the check `micro-batches`",
        )
        require(
            set(found.scores) == set(reference.scores),
            f"two processes predict {len(found.scores)} test clips, one predicts {len(reference.scores)}",
        )

    def class_order(self) -> None:
        """Under a protocol with the classes in another order the same weights say the same of every class."""
        reference, order = self.reference, classes()
        turned = [*order[3:], *order[:3]]
        planned = self.planned(
            "reordered",
            write_protocol(self.place / "reordered.yaml", turned),
            settings=("epochs=0", f"batch_size={BATCH}", "statistics=null"),
            init={"model": reference.folder / CHECKPOINTS / "best.pth"},
        )
        found = planned.run()
        places = [turned.index(name) for name in order]
        gap = max(float(np.abs(found.scores[clip][places] - scores).max()) for clip, scores in reference.scores.items())
        require(
            gap <= TOLERANCE,
            f"the same weights under a protocol with the classes in another order give probabilities that differ "
            f"by {gap:.2g}: rows of the classifier were not put in order. Call it cls_head, or name its "
            "tensor in networks['model'].head; lists with a value for each class belong into the recipe's by_class",
        )


@dataclass(frozen=True)
class Planned:
    """A unit with its clips and its machine."""

    unit: Unit
    data: Data
    machine: Machine

    def run(self, watcher: Watcher | None = None) -> Ran:
        """Run it, or what is left of it."""
        run_unit(self.unit, self.data.folds[self.unit.fold], self.machine, watcher or Watcher())
        return self._left()

    def run_by_several(self) -> Ran:
        """Run it by as many processes as its machine says; CheckFailed with the reason if they cannot."""
        outcome = run_units([self.unit], self.data, self.machine, Watcher())
        for _, reason in outcome.failed:
            raise CheckFailed(f"run by {self.machine.computing.processes} processes: {reason}")
        return self._left()

    def _left(self) -> Ran:
        folder = self.machine.runs / self.unit.folder
        found = read_predictions(folder / predictions_name("test"), self.unit.protocol.classes)
        lines = (folder / METRICS).read_text(encoding="utf-8").splitlines() if (folder / METRICS).is_file() else []
        return Ran(
            dict(zip(found.ids, found.probabilities, strict=True)),
            tuple(json.loads(line)["loss"] for line in lines),
            folder,
        )
