"""What every tracker shows of a unit or a pre-training: its values by epoch, its result, and what it was."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.scoring.scores import SplitScores
from benchmark.units.identity import Trainable
from benchmark.units.pretraining import PretrainingUnit
from benchmark.units.state import METRICS
from benchmark.units.unit import Unit
from benchmark.watcher import Watcher


@dataclass(frozen=True)
class Tracked:
    """A unit or a pre-training as trackers show it.

    folder: where it lives, relative to the folder of all of them; also its name. row: the part of this that all seeds
    and folds share. config: what determines its result, with its identity, as plain values.
    """

    identity: str
    folder: Path
    row: Path
    synthetic: bool
    config: dict[str, Any]


class Curve(ABC):
    """One unit's curves while they are drawn."""

    @abstractmethod
    def log(self, epoch: int, values: Mapping[str, float]) -> None:
        """One epoch's values by name; epochs come in order, counted from 1."""

    @abstractmethod
    def end(self, result: Mapping[str, float], failed: bool) -> None:
        """Nothing more comes; `result` holds the test scores, if there are any."""


class Curves(Watcher, ABC):
    """A watcher that gives each unit its curves.

    They are drawn from the first epoch on whenever a unit begins or resumes, from the metrics in its folder: so they
    are whole even where an earlier attempt was not tracked, or was killed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: dict[str, Curve] = {}

    @abstractmethod
    def begin(self, tracked: Tracked) -> Curve:
        """Curves of a unit, empty; those that it had before are replaced or continued."""

    def started(self, unit: Unit, done: int) -> None:
        """Its curves begin, with the epochs that are done."""
        self._begin(tracked_unit(unit))
        for row in self._rows(unit.folder):
            if row["epoch"] <= done:
                self._log(unit.identity, row, watched_name(unit))

    def epoch(self, unit: Unit, row: Mapping[str, Any]) -> None:
        """One point more."""
        self._log(unit.identity, row, watched_name(unit))

    def scored(self, unit: Unit, scores: SplitScores) -> None:
        """The curves end with the test scores."""
        result: dict[str, float] = {}
        for name, estimate in scores.metrics.items():
            result |= {f"test/{name}": estimate.value}
            result |= {f"test/{name}_low": estimate.low, f"test/{name}_high": estimate.high}
        self._end(unit.identity, result, failed=False)

    def failed(self, unit: Unit, reason: str) -> None:
        """The curves end."""
        self._end(unit.identity, {}, failed=True)

    def ended(self) -> None:
        """Whatever is still being drawn was interrupted."""
        for identity in list(self._open):
            self._end(identity, {}, failed=True)

    def pretraining_epoch(self, unit: PretrainingUnit, row: Mapping[str, Any], epochs: int) -> None:
        """One point more; the curves begin with the first, and end with the last."""
        if unit.identity not in self._open:
            self._begin(tracked_pretraining(unit))
            for earlier in self._rows(unit.folder):
                if earlier["epoch"] < row["epoch"]:
                    self._log(unit.identity, earlier, "val")
        self._log(unit.identity, row, "val")
        if row["epoch"] == epochs:
            self._end(unit.identity, {}, failed=False)

    def _begin(self, tracked: Tracked) -> None:
        self._end(tracked.identity, {}, failed=True)
        self._open[tracked.identity] = self.begin(tracked)

    def _log(self, identity: str, row: Mapping[str, Any], watched: str) -> None:
        scores = {f"{watched}/{name}": value for name, value in row.get("val", {}).items()}
        values = {"train/loss": row["loss"], "train/seconds": row["seconds"], **scores}
        # Of units side by side, that one failed can be known before its last epochs are told.
        if identity in self._open:
            self._open[identity].log(row["epoch"], values)

    def _end(self, identity: str, result: Mapping[str, float], failed: bool) -> None:
        curve = self._open.pop(identity, None)
        if curve is not None:
            curve.end(result, failed)

    def _rows(self, folder: Path) -> Iterator[dict[str, Any]]:
        """The epochs that a folder has of its unit, in their order."""
        path = self.folder / folder / METRICS
        if path.is_file():
            yield from map(json.loads, path.read_text(encoding="utf-8").splitlines())


def watched_name(unit: Unit) -> str:
    """What the scores of every epoch are called; test scores that a unit selects on are not its result."""
    return "watched_test" if unit.protocol.watched_split == "test" else "val"


def tracked_unit(unit: Unit) -> Tracked:
    """A unit as trackers show it."""
    protocol = {"name": unit.protocol.name, "version": unit.protocol.version, "hash": unit.protocol.hash}
    config = {"variant": unit.variant, **_config(unit), "protocol": protocol}
    return Tracked(unit.identity, unit.folder, unit.record_folder, unit.synthetic, config)


def tracked_pretraining(unit: PretrainingUnit) -> Tracked:
    """A pre-training as trackers show it."""
    return Tracked(unit.identity, unit.folder, unit.folder.parent, unit.synthetic, _config(unit))


def _config(unit: Trainable) -> dict[str, Any]:
    return {"identity": unit.identity, **unit.model_dump(mode="json", exclude={"code"}, exclude_none=True)}
