"""Files of predicted classes: for each clip what it was taken for when it was spoiled in one way after the other.

Scores of confusions need no more than the most probable class, and forty tables of probabilities would be thirty times
as large.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.errors import IntegrityError
from benchmark.files import replacing
from benchmark.scoring.predictions import MAX_ROWS, unpacked


@dataclass(frozen=True, eq=False)
class PredictedClasses:
    """The predicted class of N clips in M ways: `ids` (N), `ways` (M), `predicted` (N, M), indices in class order."""

    ids: tuple[str, ...]
    ways: tuple[str, ...]
    predicted: np.ndarray


def write_predicted_classes(path: Path, classes: Sequence[str], found: PredictedClasses) -> None:
    """Write `clip_id,<way>...` with names of classes as gzip CSV, whole or not at all; rows are sorted by clip id.

    Ids are those of a predictions file, which has none that could not be written here.
    """
    order = sorted(range(len(found.ids)), key=found.ids.__getitem__)
    rows = [",".join([found.ids[i], *(classes[k] for k in found.predicted[i])]) for i in order]
    text = "\n".join([",".join(["clip_id", *found.ways]), *rows, ""])
    with (
        replacing(path) as temporary,
        open(temporary, "wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as file,
    ):
        file.write(text.encode())


def read_predicted_classes(path: Path, classes: Sequence[str], ways: Sequence[str]) -> PredictedClasses:
    """Read what `write_predicted_classes` wrote.

    Raises IntegrityError, naming the file, the line and the reason, when the file is missing, cut off or not gzip, when
    its columns are not `clip_id` and `ways`, when an id is repeated, or when a field is none of the classes.
    """
    text = unpacked(path)
    if text.count("\n") > MAX_ROWS:
        raise IntegrityError(f"{path}: has {text.count(chr(10))} lines; {MAX_ROWS} are the limit")
    header, *lines = text.split("\n")
    expected = ",".join(["clip_id", *ways])
    if header != expected:
        raise IntegrityError(f"{path}: line 1: header is '{header[:200]}', expected '{expected[:200]}'")
    if not lines or lines.pop() != "":
        raise IntegrityError(f"{path}: line {len(lines) + 2}: the last line does not end; the file is cut off")
    place = {name: number for number, name in enumerate(classes)}
    ids: list[str] = []
    predicted = np.zeros((len(lines), len(ways)), dtype=np.int64)
    for number, line in enumerate(lines):
        clip_id, *names = line.split(",")
        if len(names) != len(ways):
            raise IntegrityError(f"{path}: line {number + 2}: {len(names) + 1} fields, expected {len(ways) + 1}")
        unknown = next((name for name in names if name not in place), None)
        if unknown is not None:
            raise IntegrityError(f"{path}: line {number + 2}: '{unknown[:50]}' is no class")
        ids.append(clip_id)
        predicted[number] = [place[name] for name in names]
    if len(set(ids)) != len(ids):
        repeated = next(name for name in ids if ids.count(name) > 1)
        raise IntegrityError(f"{path}: clip id '{repeated[:50]}' is there twice")
    return PredictedClasses(tuple(ids), tuple(ways), predicted)
