"""Further predictions of a finished unit's model, kept beside the unit's own: of spoiled clips, of unlabelled ones."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmark.errors import IntegrityError
from benchmark.files import hash_file, read_text, write_json, write_text
from benchmark.locks import exclusive
from benchmark.records import FileReference, Record, UnitRecord
from benchmark.records.further import AskedUnit
from benchmark.scoring.predicted_classes import PredictedClasses, write_predicted_classes
from benchmark.scoring.predictions import Predictions, read_predictions, write_predictions
from benchmark.units.state import STATE as UNIT_STATE
from benchmark.validation import problem_of

FOLDER, STATE = "further", "further.json"
SPOILED = "spoiled.csv.gz"


class _State(BaseModel):
    """By which checkpoint (its SHA-256) the predictions were made, and each file's SHA-256 by its name."""

    model_config = ConfigDict(extra="forbid")

    checkpoint: str
    files: dict[str, str] = Field(default_factory=dict)


class Further:
    """The further predictions of one unit; made once, and again where a file is lost or is not what was written."""

    def __init__(self, run: Path, unit: UnitRecord, place: Path, classes: Sequence[str]) -> None:
        self._run, self._unit, self._place, self._classes = run, unit, place, classes
        self._state = _read(place, unit.checkpoint_sha256)

    def predictions(self, name: str, make: Callable[[], Predictions]) -> Predictions:
        """Those called `name`."""
        path = self._place / f"{name}.csv.gz"
        if not (path.is_file() and hash_file(path) == self._state.files.get(path.name)):
            write_predictions(path, make(), self._classes)
            self._state.files[path.name] = hash_file(path)
            write_text(self._place / STATE, self._state.model_dump_json(indent=2) + "\n")
        return read_predictions(path, self._classes)

    def asked(self, name: str) -> AskedUnit:
        """The unit with the predictions called `name`, which must be there, for a result."""
        return self._asked(self._place / f"{name}.csv.gz")

    def classes_of(self, spoiled: PredictedClasses) -> AskedUnit:
        """The unit with what its test clips were taken for, for a result."""
        write_predicted_classes(self._place / SPOILED, self._classes, spoiled)
        return self._asked(self._place / SPOILED)

    def _asked(self, path: Path) -> AskedUnit:
        return AskedUnit(
            seed=self._unit.seed,
            fold=self._unit.fold,
            checkpoint_sha256=self._unit.checkpoint_sha256,
            predictions=FileReference(path=path.relative_to(self._run).as_posix(), sha256=hash_file(path)),
        )


@contextlib.contextmanager
def further(run: Path, unit: UnitRecord, classes: Sequence[str]) -> Iterator[Further]:
    """Hold a unit's further predictions, which lie in `further/` beside its own, against other processes.

    run: see `place_of_results`. Those of another checkpoint than the record names are made anew.
    """
    place = (run / unit.predictions.test.path).parent / FOLDER
    with exclusive(place):
        yield Further(run, unit, place, classes)


def place_of_results(folder: Path, record: Record) -> Path:
    """Where further results are kept: in the run's folder, beside its record.

    A record that was published lies in a folder that may not change; its are kept in `further/`, where one is.
    """
    unit = (folder / record.units[0].predictions.test.path).parent
    return folder if (unit / UNIT_STATE).is_file() else Path(FOLDER) / folder.name


def keep_result(path: Path, result: BaseModel) -> None:
    """Write a further result beside its record."""
    write_json(path, result.model_dump(mode="json"))


def _read(place: Path, checkpoint: str) -> _State:
    path = place / STATE
    if not path.is_file():
        return _State(checkpoint=checkpoint)
    try:
        kept = _State.model_validate_json(read_text(path))
    except ValidationError as error:
        raise IntegrityError(f"{problem_of(error, str(path))}; delete {place} to predict again") from error
    return kept if kept.checkpoint == checkpoint else _State(checkpoint=checkpoint)
