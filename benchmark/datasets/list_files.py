"""What several layouts need to read folders and lists."""

from __future__ import annotations

import codecs
import csv
import difflib
import io
import math
import re
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.emotions import canonical
from benchmark.errors import EnvironmentProblem, IntegrityError
from benchmark.files import check_regular, is_clutter, read_bounded

# Lists, and the parts and cells of workbooks: a hundred times what the field's datasets have.
MOST_LIST, MOST_SHEET, MOST_CELLS = 128 * 2**20, 64 * 2**20, 1_000_000
# What spreadsheets separate columns with.
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
# How an xlsx file begins.
_ZIP = b"PK\x03\x04"


def find_folder(data_root: Path, names: Sequence[str], witness: str) -> Path | None:
    """The folder that holds `witness`: `data_root` itself, or one in it called one of `names` (in any case)."""
    candidates = [data_root]
    if data_root.is_dir():
        candidates += sorted(path for path in data_root.iterdir() if path.name.lower() in names)
    return next((path for path in candidates if (path / witness).exists()), None)


def emotion(text: str, classes: Sequence[str], where: str) -> str:
    """The canonical name of an emotion, which must be one of `classes`; else IntegrityError, beginning with `where`."""
    name = canonical(text)
    if name in classes:
        return name
    near = difflib.get_close_matches(name, classes, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"expected one of {', '.join(classes)}"
    raise IntegrityError(f"{where}: '{text}' is not an emotion of this dataset; {hint}")


def read_lines(path: Path, dataset: str, encodings: Sequence[str] = ("utf-8-sig",)) -> list[tuple[int, str]]:
    """The numbered lines of a list, stripped, without the blank ones; the first encoding that fits is taken."""
    if not path.is_file():
        raise EnvironmentProblem(
            f"{dataset}: list missing: {path}; `benchmark show {dataset}` prints the expected tree"
        )
    lines = enumerate(map(str.strip, _read_text(path, encodings).splitlines()), start=1)
    return [(number, line) for number, line in lines if line]


def read_table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header and the numbered rows of a CSV file, cells stripped, without blank lines.

    Spreadsheets save with commas, semicolons or tabs, in UTF-8 or UTF-16: whichever the header has. Raises
    EnvironmentProblem for a missing file, IntegrityError for a row that does not fit the header.
    """
    if not path.is_file():
        raise EnvironmentProblem(f"file missing: {path}")
    text = _read_text(path, ("utf-8-sig",))
    delimiter = _delimiter(text, path)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(map(str.strip, row))]
    except csv.Error as error:
        raise IntegrityError(f"{path}: line {reader.line_num}: not CSV: {error}") from None
    if not rows:
        raise IntegrityError(f"{path}: line 1: the header is missing, the file is empty")
    (_, header), *rows = rows
    for number, row in rows:
        if len(row) != len(header):
            split = "" if delimiter == "," else f", split at {_DELIMITERS[delimiter]} as the header is"
            raise IntegrityError(f"{path}: line {number}: {len(row)} cells, the header has {len(header)}{split}")
    return header, rows


def plain(text: str) -> str:
    """Text with letters and accents composed (NFC), as most systems write it; macOS takes them apart."""
    return unicodedata.normalize("NFC", text)


def column_name(text: str) -> str:
    """A header as the documentation spells it: `Clip ID` is `clip_id`."""
    return re.sub(r"[\s-]+", "_", plain(text).strip()).lower()


def _delimiter(text: str, path: Path) -> str:
    header = next((line for line in text.splitlines() if line.strip()), "")
    # Quoted cells may hold anything.
    bare = re.sub(r'"[^"]*"', "", header)
    found = [delimiter for delimiter in _DELIMITERS if delimiter in bare]
    if len(found) > 1:
        named = " and ".join(_DELIMITERS[delimiter] for delimiter in found)
        raise IntegrityError(f"{path}: line 1: has {named}, so what separates the columns cannot be known; use commas")
    return found[0] if found else ","


def read_votes_workbook(
    path: Path, dataset: str, key: str, columns: Mapping[str, str], spelling: Callable[[str], str] = str.strip
) -> Iterator[tuple[int, str, dict[str, object]]]:
    """Row number, text under `key`, and cells by emotion (an empty one is 0) of every row of an Excel file with a key.

    columns: header by emotion. spelling: applied to the file's headers before they are compared. Raises
    EnvironmentProblem for a missing file, IntegrityError for one that is damaged or lacks a column.
    """
    import openpyxl

    if not path.is_file():
        raise EnvironmentProblem(f"{dataset}: votes missing: {path}; soft labels need it, `--labels hard` does not")
    try:
        _check_workbook(path)
        sheet = openpyxl.load_workbook(path, read_only=True, data_only=True).worksheets[0]
        rows = list(_whole_rows(sheet, path))
    except IntegrityError:
        raise
    # A damaged workbook fails anywhere inside openpyxl, with whatever error that place has.
    except Exception as error:
        raise IntegrityError(f"{path}: not a readable Excel workbook: {error}") from None
    header = [spelling(str(cell)) for cell in rows[0]] if rows else []
    missing = [name for name in (key, *columns.values()) if header.count(name) != 1]
    if missing:
        raise IntegrityError(f"{path}: row 1: expected one column each for {', '.join(missing)}")
    for number, row in enumerate(rows[1:], start=2):
        cells = dict(zip(header, row, strict=True))
        if cells[key] is not None:
            votes = {name: 0 if cells[column] is None else cells[column] for name, column in columns.items()}
            yield number, str(cells[key]).strip(), votes


def _check_workbook(path: Path) -> None:
    """IntegrityError for a workbook that is far larger inside than lists of clips are."""
    check_regular(path)
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            large = entry.filename.startswith("xl/worksheets/") or entry.filename == "xl/sharedStrings.xml"
            most = MOST_SHEET if large else MOST_SHEET // 32
            if entry.file_size > most:
                raise IntegrityError(f"{path}: its part {entry.filename} has {entry.file_size} bytes; {most} are read")


def _whole_rows(sheet: Any, path: Path) -> Iterator[tuple[object, ...]]:
    """The sheet's rows, all as long as the first."""
    # What a sheet says of its own size may be wrong.
    sheet.reset_dimensions()
    width, cells = None, 0
    for row in sheet.iter_rows(values_only=True):
        width = len(row) if width is None else width
        cells += max(len(row), 1)
        if cells > MOST_CELLS:
            raise IntegrityError(f"{path}: has more than {MOST_CELLS:,} cells, which no list of clips needs")
        if any(cell is not None for cell in row[width:]):
            raise IntegrityError(f"{path}: a row has more cells than the header, which has {width}")
        yield (*row[:width], *(None,) * (width - len(row)))


def _read_text(path: Path, encodings: Sequence[str]) -> str:
    data = read_bounded(path, MOST_LIST)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ("utf-16",)
    elif data.startswith(_ZIP):
        raise IntegrityError(f"{path}: is an Excel workbook under another name; save the sheet as CSV")
    elif b"\0" in data:
        raise IntegrityError(f"{path}: is UTF-16 without its mark, or no text at all; save the file as UTF-8")
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
    known = " or ".join(name.removesuffix("-sig").upper() for name in encodings)
    raise IntegrityError(f"{path}: line {line}: not {known} text; save the file as UTF-8")


def refuse_repeated(columns: Sequence[str], where: str) -> None:
    """IntegrityError when two columns mean the same, because which of them counts cannot be known."""
    repeated = [name for name, count in Counter(columns).items() if count > 1]
    if repeated:
        raise IntegrityError(f"{where}: two columns for '{repeated[0]}'; keep one")


def vote_row(cells: Mapping[str, object], where: str) -> dict[str, float]:
    """Votes, or weights, by emotion as numbers: none negative, not all zero; else IntegrityError."""
    votes = {}
    for name, cell in cells.items():
        try:
            votes[name] = float(str(cell))
        except ValueError:
            comma = re.fullmatch(r"[-+]?\d+,\d+", str(cell))
            hint = f"; write {str(cell).replace(',', '.')}, with a point" if comma else ""
            raise IntegrityError(f"{where}: '{cell}' for {name} is not a number{hint}") from None
        if not math.isfinite(votes[name]) or votes[name] < 0:
            raise IntegrityError(f"{where}: {cell} for {name} cannot be a number of votes")
    if not sum(votes.values()):
        raise IntegrityError(f"{where}: no emotion has a vote")
    return votes


def videos_by_emotion(part: Path, classes: Sequence[str], dataset: str, other: str = ".") -> list[tuple[str, Path]]:
    """Label and file of every `<Emotion>/*.avi` in the folder `part`, which has some for each class.

    other: how the names of folders begin that hold something else.
    """
    folders = sorted(path for path in _children(part) if path.is_dir() and not path.name.startswith(other))
    if not folders:
        raise EnvironmentProblem(
            f"{dataset}: no emotion folders in {part}; the labels are the names of the folders that hold the .avi "
            f"files; `benchmark show {dataset}` prints the expected tree"
        )
    labelled = [
        (label, path)
        for folder in folders
        for label in [emotion(folder.name, classes, str(folder))]
        for path in sorted(_children(folder))
        if path.suffix.lower() == ".avi"
    ]
    missing = [name for name in classes if name not in {label for label, _ in labelled}]
    if missing:
        raise IntegrityError(f"{part}: no .avi file of {', '.join(missing)}; the copy is incomplete, unpack it again")
    return labelled


def _children(folder: Path) -> list[Path]:
    """What lies in a folder, without what systems leave behind there."""
    return [path for path in folder.iterdir() if not is_clutter(path.name)] if folder.is_dir() else []


@dataclass(frozen=True)
class ClipLists:
    """Labels and official parts of clips, gathered from several lists that must not contradict each other."""

    labels: dict[str, str] = field(default_factory=dict)
    parts: dict[str, dict[int, str]] = field(default_factory=dict)

    def add(self, clip_id: str, label: str, fold: int, part: str, where: str) -> None:
        """Take one line of a list; IntegrityError, beginning with `where`, for a second place or a second label."""
        listed = self.parts.setdefault(clip_id, {})
        if fold in listed:
            raise IntegrityError(f"{where}: clip {clip_id} is listed twice, it is already in {listed[fold]}")
        if self.labels.setdefault(clip_id, label) != label:
            raise IntegrityError(f"{where}: clip {clip_id} is {label} here and {self.labels[clip_id]} in another list")
        listed[fold] = part
