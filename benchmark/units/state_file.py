"""What the state files of units and pre-trainings have in common: reading them, and what becomes of other work."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmark.errors import IntegrityError
from benchmark.files import read_text
from benchmark.units.identity import KEEPABLE, Trainable, refusal
from benchmark.validation import problem_of

TrainableT = TypeVar("TrainableT", bound=Trainable)


class WorkState(BaseModel, Generic[TrainableT]):
    """How far the work on a unit or a pre-training is, as its folder says.

    kept: in what finished work differs from what would be run today, if somebody kept it all the same.
    """

    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    identity: str
    unit: TrainableT
    kept: list[str] = []

    def can_be_kept_as(self, unit: TrainableT) -> bool:
        """Whether this work, if it is finished, may be kept for `unit`."""
        return KEEPABLE.issuperset(self.unit.differing(unit))

    def kept_as(self, unit: TrainableT) -> Self:
        """This work as that of `unit`, with what differs written down."""
        kept = sorted({*self.kept, *self.unit.differences(unit)})
        return self.model_copy(update={"identity": unit.identity, "unit": unit, "kept": kept})

    def check_same(self, unit: TrainableT, folder: Path, kind: str) -> None:
        """Refuse a folder that holds other work than `unit`'s."""
        if self.identity != unit.identity:
            raise IntegrityError(refusal(folder, kind, self.unit.differences(unit)))


StateT = TypeVar("StateT", bound=WorkState[Any])


def stored(path: Path, form: type[StateT], kind: str) -> StateT | None:
    """The state in a file, None where there is none; IntegrityError names what is wrong with it."""
    if not path.is_file():
        return None
    try:
        return form.model_validate_json(read_text(path))
    except ValidationError as error:
        problem = problem_of(error, f"{path}: is not a {kind}'s state")
        raise IntegrityError(f"{problem}; delete {path.parent} to start again") from error
