"""Reading and writing the file of a record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from benchmark.errors import IntegrityError
from benchmark.files import read_bounded, write_json
from benchmark.records.model import Record
from benchmark.validation import problem_of

RECORD = "record.json"
MOST_RECORD = 16 * 2**20


def record_path(run: Path) -> Path:
    """The record of a run that is named by its record or by the folder that holds it."""
    return run / RECORD if run.is_dir() else run


def read_record(path: Path) -> Record:
    """Read and validate a record; IntegrityError names the file, the key and what is wrong with it."""
    try:
        text = read_bounded(path, MOST_RECORD, links=False).decode("utf-8")
        json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_repeats)
        return Record.model_validate_json(text)
    except ValidationError as error:
        raise IntegrityError(problem_of(error, str(path))) from error
    except FileNotFoundError as error:
        raise IntegrityError(f"{path}: there is no record") from error
    except (OSError, ValueError, RecursionError) as error:
        raise IntegrityError(f"{path}: is not a JSON record: {error}") from error


def write_record(path: Path, record: Record) -> None:
    """Write a record as indented JSON, whole or not at all."""
    write_json(path, record.canonical())


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


def _refuse_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A key given twice lets two readers see two records."""
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError(f"a key is given twice: {sorted({key for key in keys if keys.count(key) > 1})}")
    return dict(pairs)
