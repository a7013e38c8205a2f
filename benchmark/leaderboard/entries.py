"""Entries: records accepted into a leaderboard's folder, each with its predictions beside it."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from benchmark.errors import IntegrityError
from benchmark.files import hash_value, sync_folder, write_text
from benchmark.leaderboard.pages import Entry, render_page, render_terminal
from benchmark.protocol import Protocol, load_protocol
from benchmark.records import Record, read_record, verify_record, write_record
from benchmark.registry import registry

RECORD = "record.json"
RECORDS = "records"
PAGES = {"README.md": False, "SYNTHETIC.md": True}

LabelsOf = Callable[[Record], Mapping[str, str] | None]


def add(run_record: Path, folder: Path) -> Entry:
    """Verify a finished run's record and copy it, with its predictions, to `folder/records/<protocol>/<id>/`.

    run_record: the record, or the folder that holds it. The protocol must be an installed one, as it is today; a record
    with another definition is accepted only if it says that it is unofficial. Such a record, and an incomplete one, is
    shown without a rank. Adding the same record again changes nothing. Raises IntegrityError for a record that does not
    agree with its predictions. The pages are left to `build`.
    """
    path = run_record / RECORD if run_record.is_dir() else run_record
    record = read_record(path)
    _verify(record, path.parent)
    known = _protocols().get(record.protocol.name)
    if known is None or (known.hash != record.protocol.hash and not record.marks.unofficial):
        stated = f"{record.protocol.name} with hash {record.protocol.hash}"
        raise IntegrityError(f"{path}: protocol {stated} is not one that is installed here")
    if not record.units:
        raise IntegrityError(f"{path}: has no finished unit, so there is nothing to show")
    entry = Entry(place_of(record), record)
    target = folder / entry.path
    if target.exists():
        _verify(read_record(target / RECORD), target)
        return entry
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".adding-", dir=folder))
    try:
        for relative in _prediction_paths(record):
            (temporary / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path.parent / relative, temporary / relative)
        write_record(temporary / RECORD, record)
        temporary.chmod(0o755)
        os.replace(temporary, target)
        sync_folder(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return entry


def build(folder: Path) -> list[Path]:
    """Write the leaderboard's pages from its records; equal records give equal bytes."""
    return _write_pages(folder, read_entries(folder))


def overview(runs: Path) -> list[Path]:
    """Write the same pages over the records of one's own runs, wherever they lie below `runs`; nothing is verified."""
    places = sorted(path.parent for path in runs.rglob(RECORD))
    return _write_pages(
        runs, [Entry(PurePosixPath(place.relative_to(runs)), read_record(place / RECORD)) for place in places]
    )


def check(folder: Path, labels_of: LabelsOf | None = None) -> list[Entry]:
    """Verify every record against its predictions, and the pages against the records; the entries, if all is well.

    labels_of: gives a record's labels (class name by clip id) where the user has that dataset, else None; with labels
    every score is recomputed from the predictions, without them from the stored confusions (see `verify_record`).
    Raises IntegrityError naming the first file that is wrong.
    """
    entries = read_entries(folder)
    known = _protocols()
    for entry in entries:
        where, record = folder / entry.path, entry.record
        _verify(record, where, labels_of(record) if labels_of else None)
        if entry.path != place_of(record):
            raise IntegrityError(f"{where}: the record's content belongs into {place_of(record)}")
        _check_protocol(record, known.get(record.protocol.name), where)
    _check_no_strays(folder, entries)
    for name, text in _rendered(entries).items():
        _check_page(folder / name, text)
    return entries


def table(records: Sequence[Record]) -> str:
    """Records under one protocol as markdown tables for the terminal, the best record first."""
    return render_terminal(records, _titles())


def read_entries(folder: Path) -> list[Entry]:
    """The entries in `folder`, ordered by path; schema errors are raised, scores are not verified."""
    places = sorted(place for place in (folder / RECORDS).glob("*/*") if place.is_dir())
    return [Entry(PurePosixPath(place.relative_to(folder)), read_record(place / RECORD)) for place in places]


def entry_id(record: Record) -> str:
    """A readable name and the first 12 digits of the SHA-256 of the record's canonical JSON."""
    parts = [record.method.name, *(used.name for used in record.augmentations), record.label_mode]
    readable = "-".join(filter(None, (re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in parts)))
    return f"{readable[:80]}-{hash_value(record.canonical())[:12]}"


def place_of(record: Record) -> PurePosixPath:
    """Where a verified record belongs, relative to the leaderboard's folder."""
    return PurePosixPath(RECORDS, record.protocol.name, entry_id(record))


def _verify(record: Record, folder: Path, labels: Mapping[str, str] | None = None) -> None:
    verify_record(record, folder, labels, tuple(registry().metrics.values()))


def _protocols() -> dict[str, Protocol]:
    return {name: load_protocol(path) for name, path in registry().protocols.items()}


def _prediction_paths(record: Record) -> list[str]:
    references = [reference for unit in record.units for reference in (unit.predictions.val, unit.predictions.test)]
    return [reference.path for reference in references if reference]


def _check_protocol(record: Record, known: Protocol | None, where: Path) -> None:
    """An official record's protocol is the installed one, or an earlier version that was installed when it came."""
    stated = record.protocol
    if known is None:
        raise IntegrityError(f"{where}: unknown protocol '{stated.name}'")
    if record.marks.unofficial or stated.version < known.version:
        return
    if stated.hash != known.hash:
        stated_name = f"{stated.name} version {stated.version}"
        raise IntegrityError(f"{where}: protocol {stated_name} has hash {known.hash}, not {stated.hash}")


def _check_no_strays(folder: Path, entries: list[Entry]) -> None:
    """Only records and predictions may be published: anything else could be a gated dataset's labels."""
    expected = {folder / e.path / name for e in entries for name in (RECORD, *_prediction_paths(e.record))}
    for path in sorted((folder / RECORDS).rglob("*")):
        if path.is_symlink() or (not path.is_dir() and path not in expected):
            raise IntegrityError(f"{path}: belongs to no record")


def _check_page(path: Path, expected: str) -> None:
    if not path.is_file():
        raise IntegrityError(f"{path}: is missing; run `benchmark leaderboard build`")
    text = path.read_text(encoding="utf-8")
    for link in re.findall(r"\]\((records/[^)\s]+)\)", text):
        if not (path.parent / link).is_file():
            raise IntegrityError(f"{path.parent / link}: the record is gone, but {path.name} still links to it")
    if path.read_bytes() != expected.encode():
        raise IntegrityError(f"{path}: is not what the records give; run `benchmark leaderboard build`")


def _write_pages(folder: Path, entries: list[Entry]) -> list[Path]:
    pages = {folder / name: text for name, text in _rendered(entries).items()}
    for path, text in pages.items():
        write_text(path, text)
    return list(pages)


def _rendered(entries: list[Entry]) -> dict[str, str]:
    return {
        name: render_page([e for e in entries if e.record.marks.synthetic == synthetic], _titles(), synthetic)
        for name, synthetic in PAGES.items()
    }


def _titles() -> dict[str, str]:
    return {name: spec.title for name, spec in registry().metrics.items()}
