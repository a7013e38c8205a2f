"""A unit's state on disk: which step it has reached, and what it cost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from benchmark.errors import IntegrityError
from benchmark.files import hash_file, write_text
from benchmark.locks import exclusive
from benchmark.units.computing import Computing, computing_before
from benchmark.units.history import InitialWeights
from benchmark.units.identity import Changed, set_aside
from benchmark.units.state_file import WorkState, stored
from benchmark.units.unit import Unit

STATE = "state.json"
SPLIT_FILES = "splits"
CHECKPOINTS = "checkpoints"
METRICS = "metrics.jsonl"
CONFIG = "config.py"
LOG = "log.txt"
SCORES = "scores.json"

Status = Literal["pending", "training", "selected", "predicted", "scored", "failed"]


def predictions_name(split: str) -> str:
    """File name of a split's predictions inside a unit's folder."""
    return f"predictions.{split}.csv.gz"


class Selected(BaseModel):
    """The checkpoint that is reported."""

    model_config = ConfigDict(extra="forbid")

    epoch: int
    epochs: int
    value: float | None
    sha256: str


class SplitFacts(BaseModel):
    """Size and identity of a split's id list."""

    model_config = ConfigDict(extra="forbid")

    clips: int
    sha256: str


class Cost(BaseModel):
    """What it took, summed over resumes, on what, and how it was computed.

    batch_statistics: see the record's `Cost`.
    """

    model_config = ConfigDict(extra="forbid")

    train_seconds: float = 0.0
    predict_seconds: float = 0.0
    device: str = ""
    computing: Computing = Computing()
    batch_statistics: int | None = None
    hardware: dict[str, str] = {}

    _before = model_validator(mode="before")(computing_before)


class UnitState(WorkState[Unit]):
    """`state.json`: pending -> training -> selected -> predicted -> scored, or failed with the reason.

    initial: what its networks started from, by network; None where none did, or where that was not written down.
    """

    status: Status = "pending"
    heartbeat: float = 0.0
    attempts: int = 0
    epoch: int = 0
    error: str | None = None
    splits: dict[str, SplitFacts] = Field(default_factory=dict)
    dropped: list[str] = Field(default_factory=list)
    selected: Selected | None = None
    parameters: int | None = None
    gflops: float | None = None
    predictions: dict[str, str] = Field(default_factory=dict)
    test_looks: int = 0
    cost: Cost = Cost()
    initial: dict[str, InitialWeights] | None = None


def load_state(folder: Path, unit: Unit) -> UnitState:
    """The unit's state, or a new one; a folder that holds another unit's work is refused."""
    state = read_state(folder)
    if state is None:
        return UnitState(identity=unit.identity, unit=unit)
    state.check_same(unit, folder, "unit")
    return state


def read_state(folder: Path) -> UnitState | None:
    """The state written in `folder`, or None where there is none yet."""
    return stored(folder / STATE, UnitState, "unit")


def save_state(folder: Path, state: UnitState) -> None:
    """Write the state, whole or not at all, with the time as heartbeat."""
    state.heartbeat = time.time()
    _write(folder, state)


def _write(folder: Path, state: UnitState) -> None:
    write_text(folder / STATE, state.model_dump_json(indent=2, by_alias=True) + "\n")


def is_done(folder: Path, state: UnitState) -> bool:
    """Whether the unit is scored and its predictions are still the ones that were scored."""
    if state.status != "scored" or not (folder / SCORES).is_file():
        return False
    for split, expected in state.predictions.items():
        path = folder / predictions_name(split)
        if not path.is_file() or hash_file(path) != expected:
            raise IntegrityError(f"{path}: is missing or not what was scored; delete {folder} to run the unit again")
    return True


def unfinished(units: Sequence[Unit], runs: Path, changed: Changed = "refuse", dry: bool = False) -> list[Unit]:
    """The units that still have something to do; raises IntegrityError for a folder that holds other work.

    changed: what to do with work that an older recipe or older code made. dry: nothing on disk is changed.
    """
    return [unit for unit in units if not _is_finished(runs, unit, changed, dry)]


def _is_finished(runs: Path, unit: Unit, changed: Changed, dry: bool) -> bool:
    folder = runs / unit.folder
    state = read_state(folder)
    if state is None:
        return False
    if state.identity == unit.identity or changed == "refuse":
        return is_done(folder, load_state(folder, unit))
    if changed == "again":
        if not dry:
            with exclusive(folder):
                # Unless another worker was quicker.
                if (now := read_state(folder)) is not None and now.identity == state.identity:
                    set_aside(folder, state.identity)
        return False
    if _tests_the_same_checkpoint(runs, state, unit):
        state = state.model_copy(update={"unit": state.unit.model_copy(update={"source": unit.source})})
    if not (is_done(folder, state) and state.can_be_kept_as(unit)):
        return is_done(folder, load_state(folder, unit))
    if not dry:
        _write(folder, state.kept_as(unit))
    return True


def _tests_the_same_checkpoint(runs: Path, state: UnitState, unit: Unit) -> bool:
    """Whether the unit whose checkpoint was tested has it still, whatever else of that one was kept."""
    source = read_state(runs / unit.source_folder) if unit.source_folder else None
    return source is not None and source.selected is not None and source.selected == state.selected
