"""How far every unit is, who is at it, and how long it will take."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from benchmark.errors import BenchmarkError, UsageError
from benchmark.locks import SILENCE, Holder, holder_of
from benchmark.running.plans import remembered
from benchmark.units.presets import preset_of_unit
from benchmark.units.state import STATE, UnitState, read_state


@dataclass(frozen=True)
class UnitStatus:
    """How far a unit is.

    folder: relative to the folder of runs. epochs: how many there will be, None where that is not known. holder: the
    worker that has taken it. silent: seconds since the last sign of life, None before the first. seconds: that it still
    takes, guessed from its own epochs and from the row's other units; None where there is nothing to guess from.
    """

    folder: Path
    status: str
    epoch: int = 0
    epochs: int | None = None
    attempts: int = 0
    holder: Holder | None = None
    silent: float | None = None
    seconds: float | None = None
    error: str | None = None

    @property
    def at_work(self) -> bool:
        """Whether somebody who shows signs of life holds it."""
        return self.holder is not None and not self.holder.gone and (self.silent or 0) < SILENCE


@dataclass(frozen=True)
class Status:
    """The units of a folder of runs.

    workers: that are at work. seconds: until they are through, None where it cannot be guessed.
    """

    units: tuple[UnitStatus, ...]
    workers: int
    seconds: float | None


@dataclass(frozen=True)
class _Pace:
    """Seconds of an epoch and of the rest, and how many epochs there are."""

    epoch: float
    rest: float
    epochs: int


def status(runs: Path | str) -> Status:
    """How far every unit in a folder of runs is, or in a part of it, such as a run's own folder."""
    place = Path(runs)
    if not place.is_dir():
        raise UsageError(f"{place}: no such folder of runs")
    found = {path.parent.relative_to(place): read_state(path.parent) for path in sorted(place.rglob(STATE))}
    states = {folder: state for folder, state in found.items() if state is not None}
    folders = [*states, *(folder for folder in remembered(place) if folder not in states)]
    paces = _paces(states)
    units = tuple(_unit(folder, states.get(folder), place, paces.get(folder.parent.parent)) for folder in folders)
    workers = sum(unit.at_work for unit in units)
    left = [unit.seconds for unit in units if unit.status != "scored"]
    known = [seconds for seconds in left if seconds is not None]
    # As if those at work shared what is left; the longest unit may take longer.
    seconds = max([0.0, *known, sum(known) / max(workers, 1)]) if len(known) == len(left) else None
    return Status(units, workers, seconds)


def _paces(states: Mapping[Path, UnitState]) -> dict[Path, _Pace]:
    """The pace of each row, by its folder, from what has been done of it."""
    rows: dict[Path, list[UnitState]] = {}
    for folder, state in states.items():
        rows.setdefault(folder.parent.parent, []).append(state)
    return {folder: pace for folder, row in rows.items() if (pace := _pace(row)) is not None}


def _pace(states: Sequence[UnitState]) -> _Pace | None:
    epochs = _epochs(states[0])
    done = [own for state in states if (own := _epoch_seconds(state)) is not None]
    trains = states[0].unit.source is None and epochs != 0
    if epochs is None or (trains and not done):
        return None
    rest = [state.cost.predict_seconds for state in states if state.status == "scored"]
    return _Pace(mean(done) if trains else 0.0, mean(rest) if rest else 0.0, epochs if trains else 0)


def _unit(folder: Path, state: UnitState | None, runs: Path, pace: _Pace | None) -> UnitStatus:
    # A worker that was killed with its last unit finished has left its lease.
    holder = None if state is not None and state.status == "scored" else holder_of(runs / folder)
    if state is None:
        seconds = pace.epochs * pace.epoch + pace.rest if pace else None
        return UnitStatus(folder, "pending", holder=holder, seconds=seconds)
    signs = [state.heartbeat, *([holder.last] if holder else [])]
    # The clocks of two machines differ; nobody has shown himself in the future.
    silent = max(time.time() - max(signs), 0.0)
    return UnitStatus(
        folder=folder,
        status=state.status,
        epoch=state.epoch,
        epochs=pace.epochs if pace else _epochs(state),
        attempts=state.attempts,
        holder=holder,
        silent=silent,
        seconds=_left(state, pace),
        error=state.error,
    )


def _left(state: UnitState, pace: _Pace | None) -> float | None:
    if state.status == "scored":
        return 0.0
    if pace is None:
        return None
    own = _epoch_seconds(state)
    epochs = max(pace.epochs - state.epoch, 0) if state.selected is None else 0
    rest = 0.0 if state.status == "predicted" else pace.rest
    return epochs * (pace.epoch if own is None else own) + rest


def _epoch_seconds(state: UnitState) -> float | None:
    return state.cost.train_seconds / state.epoch if state.epoch else None


def _epochs(state: UnitState) -> int | None:
    try:
        return preset_of_unit(state.unit).epochs
    except BenchmarkError:  # its plugin is not installed here
        return None
