"""Soft labels for a dataset that comes without: a file of votes or probabilities, joined on the clip's id."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark.datasets.list_files import column_name, emotion, read_table, refuse_repeated, vote_row
from benchmark.errors import EnvironmentProblem, IntegrityError

ID = "clip_id"


def read_soft_labels(path: Path, classes: Sequence[str]) -> dict[str, dict[str, float]]:
    """Votes or probabilities by clip id and emotion, as they stand in the file: rows need not sum to one.

    path: CSV, or Parquet when its name ends in `.parquet`, with a column `clip_id` and one column for each of
    `classes` under any of its spellings, in any order. Raises EnvironmentProblem when it (or pyarrow) is missing,
    IntegrityError for a file that is not of this form.
    """
    header, rows = _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
    header = [ID if column_name(name) == ID else name for name in header]
    if ID not in header:
        raise IntegrityError(f"{path}: no column '{ID}' among the columns {', '.join(header)}")
    columns = [name if name == ID else emotion(name, classes, f"{path}: column names") for name in header]
    refuse_repeated(columns, f"{path}: column names")
    missing = [name for name in classes if name not in columns]
    if missing:
        raise IntegrityError(f"{path}: columns missing: {', '.join(missing)}; write 0 where nobody voted for it")
    soft: dict[str, dict[str, float]] = {}
    for where, row in rows:
        cells = dict(zip(columns, row, strict=True))
        clip_id = cells.pop(ID)
        if not isinstance(clip_id, str) or not clip_id:
            raise IntegrityError(f"{where}: '{clip_id}' is not a clip id, which is text")
        if clip_id in soft:
            raise IntegrityError(f"{where}: clip {clip_id} is there twice")
        votes = vote_row(cells, f"{where}: clip {clip_id}")
        soft[clip_id] = {name: votes[name] for name in classes}
    return soft


_Table = tuple[list[str], list[tuple[str, Sequence[object]]]]


def _read_csv(path: Path) -> _Table:
    header, rows = read_table(path)
    return header, [(f"{path}: line {number}", row) for number, row in rows]


def _read_parquet(path: Path) -> _Table:
    if not path.is_file():
        raise EnvironmentProblem(f"file missing: {path}")
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise EnvironmentProblem(
            f"{path}: reading Parquet needs pyarrow; `pip install pyarrow`, or convert the file to CSV"
        ) from None
    try:
        table = parquet.ParquetFile(path).read()
        columns = [column.to_pylist() for column in table.columns]
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines() or ["damaged"]
        raise IntegrityError(f"{path}: not a readable Parquet file: {reason[0]}") from None
    rows = enumerate(zip(*columns, strict=True), start=1)
    return table.column_names, [(f"{path}: row {number}", row) for number, row in rows]
