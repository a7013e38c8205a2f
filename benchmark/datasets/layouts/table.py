"""Anyone's own clips: one table, `clips.csv`, with a path and an emotion for each."""

from __future__ import annotations

import contextlib
import difflib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from benchmark.datasets.list_files import (
    column_name,
    emotion,
    find_folder,
    plain,
    read_table,
    refuse_repeated,
    vote_row,
)
from benchmark.emotions import EMOTIONS, canonical
from benchmark.errors import EnvironmentProblem, IntegrityError
from benchmark.specs import Clip, DatasetLayout

TABLE = "clips.csv"
REQUIRED = ("clip_id", "path", "label")
ATTRIBUTES = ("subject", "source")
OPTIONAL = ("split", "fold", *ATTRIBUTES)
VOTES = "votes_"
PARTS = ("train", "val", "test")
# What spreadsheets and data frames write where a cell is empty.
MISSING = ("nan", "none", "null", "na", "n/a", "#n/a", "-")


def find(data_root: Path) -> Path | None:
    """The folder that holds `clips.csv`: `data_root` itself, or a folder in it named table (in any case)."""
    return find_folder(data_root, ("table",), TABLE)


def read(root: Path, votes: bool) -> list[Clip]:
    """The clip table, ordered by id; `votes` also reads the columns `votes_<emotion>`.

    Raises EnvironmentProblem when the table, or the votes that were asked for, are missing, and IntegrityError for a
    table that is not of the form in `LAYOUT.tree`.
    """
    path = root / TABLE
    written, rows = read_table(path)
    header = [column_name(name) for name in written]
    _check_columns(header, path)
    named = [(f"{path}: line {number}", _as_meant(dict(zip(header, row, strict=True)), root)) for number, row in rows]
    table = {}
    places: dict[str, str] = {}
    for where, row in named:
        _check_cells(row, where)
        if row["clip_id"] in table:
            raise IntegrityError(f"{where}: clip {row['clip_id']} is there twice")
        table[row["clip_id"]] = row
        place = str(PurePosixPath(row["path"]))
        if place in places:
            raise IntegrityError(f"{where}: path {place} is that of clip {places[place]} already; one clip, one path")
        places[place] = row["clip_id"]
    _check_accents(table, path)
    parts = _parts(table, path)
    labels = {clip_id: canonical(row["label"]) for clip_id, row in table.items()}
    vote_table = _read_votes(header, named, set(labels.values()), path) if votes else {}
    return [
        Clip(
            clip_id,
            labels[clip_id],
            {"path": str(PurePosixPath(row["path"]))},
            parts[clip_id],
            vote_table.get(clip_id),
            {name: row[name] for name in ATTRIBUTES if row.get(name)},
        )
        for clip_id, row in sorted(table.items())
    ]


def _as_meant(row: dict[str, str], root: Path) -> dict[str, str]:
    """What a spreadsheet may have changed, as it was meant: capitals, whole numbers as `1.0`, accents taken apart."""
    row = {name: cell if name in ("clip_id", "path") else plain(cell) for name, cell in row.items()}
    if "split" in row:
        row["split"] = row["split"].lower()
    if "fold" in row:
        row["fold"] = re.sub(r"\.0+$", "", row["fold"])
    if not row.get("path", "").isascii():
        forms = [row["path"], *(unicodedata.normalize(form, row["path"]) for form in ("NFC", "NFD"))]
        # A name too long for the system is no file either.
        with contextlib.suppress(OSError):
            row["path"] = next((form for form in forms if (root / form).exists()), row["path"])
    return row


def _check_accents(table: Mapping[str, object], path: Path) -> None:
    """Two ids that look the same would be two clips."""
    seen: dict[str, str] = {}
    for clip_id in table:
        if seen.setdefault(plain(clip_id), clip_id) != clip_id:
            raise IntegrityError(f"{path}: clip {clip_id} is there twice, its accents written in two ways")


def _check_columns(header: Sequence[str], path: Path) -> None:
    where = f"{path}: line 1"
    refuse_repeated(header, where)
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise IntegrityError(f"{where}: columns missing: {', '.join(missing)}")
    known = (*REQUIRED, *OPTIONAL)
    for column in header:
        if column in known or column.startswith(VOTES):
            continue
        near = difflib.get_close_matches(column, [*known, *(VOTES + name for name in EMOTIONS)], n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}, {VOTES}<emotion>"
        raise IntegrityError(f"{where}: unknown column '{column}'; {hint}")
    if "split" in header and "fold" in header:
        raise IntegrityError(
            f"{where}: both 'split' and 'fold'; 'split' gives one fixed division, 'fold' the test fold of a "
            "cross-validation. Keep one of them"
        )


def _check_cells(row: dict[str, str], where: str) -> None:
    for name in REQUIRED:
        if not row[name] or not row[name].isprintable():
            raise IntegrityError(f"{where}: {row[name]!r} cannot be a {name}; write plain text")
    if row["label"].lower() in MISSING:
        raise IntegrityError(f"{where}: label {row['label']} says that there is none; give the clip an emotion")
    path = PurePosixPath(row["path"])
    if path.is_absolute() or ".." in path.parts:
        raise IntegrityError(f"{where}: path {row['path']} leaves the dataset's folder; write it relative to {TABLE}")
    if re.fullmatch(r"[-+]?\d+(\.\d*)?", row["label"]):
        raise IntegrityError(f"{where}: label {row['label']} is a number; write the emotion's name")
    if "split" in row and row["split"] not in PARTS:
        raise IntegrityError(f"{where}: split '{row['split']}' is none of {', '.join(PARTS)}")
    if "fold" in row and not re.fullmatch(r"0{0,5}[1-9][0-9]{0,5}", row["fold"]):
        raise IntegrityError(f"{where}: fold '{row['fold']}' is not a number from 1")


def _parts(table: dict[str, dict[str, str]], path: Path) -> dict[str, dict[int, str]]:
    """A clip tests the model in its own fold and trains it in the others; a split is fold 1; else no part at all."""
    folds = {clip_id: int(row["fold"]) for clip_id, row in table.items() if "fold" in row}
    occurring = sorted(set(folds.values()))
    if len(occurring) == 1:
        raise IntegrityError(
            f"{path}: every clip is in fold {occurring[0]}; a cross-validation needs two folds or more"
        )
    # Clips of one fold share one mapping: leaving one subject out makes many folds.
    shared = {own: {number: "test" if number == own else "train" for number in occurring} for own in occurring}
    return {
        clip_id: {1: row["split"]} if "split" in row else shared[folds[clip_id]] if "fold" in row else {}
        for clip_id, row in table.items()
    }


def _read_votes(
    header: Sequence[str], rows: Sequence[tuple[str, dict[str, str]]], labels: set[str], path: Path
) -> dict[str, dict[str, float]]:
    columns = [name for name in header if name.startswith(VOTES)]
    if not columns:
        raise EnvironmentProblem(
            f"{path}: no votes; soft labels need columns such as {VOTES}happy and {VOTES}sad, one for each class, "
            "`--labels hard` does not"
        )
    where = f"{path}: line 1"
    known = sorted({*EMOTIONS, *labels})
    names = {column: emotion(column.removeprefix(VOTES), known, where) for column in columns}
    refuse_repeated([VOTES + name for name in names.values()], where)
    missing = sorted(labels - set(names.values()))
    if missing:
        raise IntegrityError(f"{where}: columns missing: {', '.join(VOTES + name for name in missing)}")
    return {
        row["clip_id"]: vote_row({names[column]: row[column] for column in columns}, f"{place}: clip {row['clip_id']}")
        for place, row in rows
    }


LAYOUT = DatasetLayout(
    name="table",
    title="Your own clips, listed in one table",
    citation="none: cite where the clips come from",
    licence="whatever the owner of the clips grants",
    obtain="Write clips.csv (UTF-8) beside your clips, as below. Emotions are named in any of the usual spellings.",
    tree="""\
table/
  clips.csv       with the columns
                    clip_id, path, label      path is relative to this folder: a folder of images, a video or an image
                    split                     optional: train, val or test, for one fixed division
                    fold                      optional, instead of split: 1, 2, ..., the fold that tests the clip
                    subject, source           optional: who is seen, where the clip comes from
                    votes_happy, votes_sad..  optional: annotators' votes, for soft labels""",
    classes=(),
    frame_sources=("path",),
    find=f"{__name__}:find",
    read=f"{__name__}:read",
    synthesize="benchmark.datasets.synthetic.table:synthesize",
    lists=(TABLE,),
    votes=True,
)
