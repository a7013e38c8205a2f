"""Further predictions of a finished unit's model, kept beside the unit's own: of spoiled clips, of unlabelled ones."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmark.errors import IntegrityError
from benchmark.files import hash_file, read_text, write_text
from benchmark.locks import exclusive
from benchmark.scoring.predictions import Predictions, read_predictions, write_predictions
from benchmark.validation import problem_of

FOLDER, STATE = "further", "further.json"


class _State(BaseModel):
    """By which checkpoint (its SHA-256) the predictions were made, and each file's SHA-256 by its name."""

    model_config = ConfigDict(extra="forbid")

    checkpoint: str
    files: dict[str, str] = Field(default_factory=dict)


class Further:
    """The further predictions of one unit; made once, and again where a file is lost or is not what was written."""

    def __init__(self, place: Path, checkpoint: str, classes: Sequence[str]) -> None:
        self._place, self._classes = place, classes
        self._state = _read(place, checkpoint)

    def predictions(self, name: str, make: Callable[[], Predictions]) -> Predictions:
        """Those called `name`."""
        path = self._place / f"{name}.csv.gz"
        if not (path.is_file() and hash_file(path) == self._state.files.get(path.name)):
            write_predictions(path, make(), self._classes)
            self._state.files[path.name] = hash_file(path)
            write_text(self._place / STATE, self._state.model_dump_json(indent=2) + "\n")
        return read_predictions(path, self._classes)


@contextlib.contextmanager
def further(unit_folder: Path, checkpoint: str, classes: Sequence[str]) -> Iterator[Further]:
    """Hold a unit's further predictions, which lie in `unit_folder/further/`, against other processes.

    checkpoint: the SHA-256 of what the unit's record names; those of another are made anew.
    """
    with exclusive(unit_folder / FOLDER):
        yield Further(unit_folder / FOLDER, checkpoint, classes)


def _read(place: Path, checkpoint: str) -> _State:
    path = place / STATE
    if not path.is_file():
        return _State(checkpoint=checkpoint)
    try:
        kept = _State.model_validate_json(read_text(path))
    except ValidationError as error:
        raise IntegrityError(f"{problem_of(error, str(path))}; delete {place} to predict again") from error
    return kept if kept.checkpoint == checkpoint else _State(checkpoint=checkpoint)
