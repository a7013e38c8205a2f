"""The file of comparisons: how uncertain the difference of every two rows of a ranking is.

What is published of a pair is two numbers, and not what each clip was taken for: joint counts of many pairs would give
the labels of gated datasets away.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import ValidationError, model_validator

from benchmark.errors import IntegrityError
from benchmark.failures import one_line
from benchmark.files import read_text, write_text
from benchmark.scoring.scores import FileModel
from benchmark.validation import problem_of

COMPARISONS = "comparisons.json"


class Row(FileModel):
    """An entry's comparisons with the entries of all rows above this one.

    errors: standard errors of the differences, None where nobody who published had the labels: then the clips of the
    two are taken as independent, which separates less. freedoms: the errors' degrees of freedom.
    """

    entry: str
    errors: tuple[float | None, ...]
    freedoms: tuple[float | None, ...]


class Comparisons(FileModel):
    """Every two entries of one ranking, ordered by path."""

    rows: tuple[Row, ...]

    @model_validator(mode="after")
    def _triangle(self) -> Comparisons:
        for number, row in enumerate(self.rows):
            if len(row.errors) != number or len(row.freedoms) != number:
                raise ValueError(f"{row.entry}: expected {number} errors and freedoms")
            for error, freedom in zip(row.errors, row.freedoms, strict=True):
                if (error is None) != (freedom is None) or (error is not None and not 0 <= error <= 1):
                    raise ValueError(f"{row.entry}: an error must lie in 0..1 and have its degrees of freedom")
                if freedom is not None and not 1 <= freedom <= 1e9:
                    raise ValueError(f"{row.entry}: degrees of freedom must lie in 1..1e9")
        return self

    @property
    def entries(self) -> tuple[str, ...]:
        """The entries' paths."""
        return tuple(row.entry for row in self.rows)

    def pairs(self) -> dict[tuple[str, str], tuple[float, float]]:
        """Error and degrees of freedom of every two entries that are paired, the first entry's path being smaller."""
        names = self.entries
        return {
            (names[other], row.entry): (error, freedom)
            for row in self.rows
            for other, (error, freedom) in enumerate(zip(row.errors, row.freedoms, strict=True))
            if error is not None and freedom is not None
        }


class _File(FileModel):
    version: Literal[2] = 2
    rankings: tuple[Comparisons, ...] = ()


def read_comparisons(folder: Path) -> tuple[Comparisons, ...]:
    """The published comparisons, one for each ranking; none if there is no file."""
    path = folder / COMPARISONS
    if not path.is_file():
        return ()
    try:
        return parse_comparisons(read_text(path, links=False), str(path))
    except OSError as error:
        raise IntegrityError(f"{path}: is not a file of comparisons: {one_line(error)}") from error


def parse_comparisons(text: str, name: str) -> tuple[Comparisons, ...]:
    """The comparisons in the text of a file called `name`; IntegrityError if it is no such file."""
    try:
        return _File.model_validate_json(text).rankings
    except ValidationError as error:
        raise IntegrityError(problem_of(error, f"{name}: is not a file of comparisons")) from error


def write_comparisons(folder: Path, comparisons: Iterable[Comparisons]) -> Path:
    """Write the comparisons, one line for each entry."""
    rankings = [
        '{"rows": [\n' + ",\n".join(json.dumps(row.model_dump(mode="json")) for row in one.rows) + "\n]}"
        for one in sorted(comparisons, key=lambda one: one.entries)
    ]
    text = '{"version": 2, "rankings": [\n' + ",\n".join(rankings) + "\n]}\n"
    write_text(folder / COMPARISONS, text)
    return folder / COMPARISONS
