"""Entries: records accepted into a leaderboard's folder, each with its predictions beside it."""

from __future__ import annotations

import functools
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from benchmark.errors import IntegrityError
from benchmark.files import hash_value, sync_folder
from benchmark.leaderboard.attestations import read_level
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.facts import check_facts
from benchmark.leaderboard.further import read_published
from benchmark.leaderboard.rivals import Labels
from benchmark.protocol import Protocol, load_protocol
from benchmark.records import RECORD, Record, protocol_of, read_record, record_path, verify_record, write_record
from benchmark.registry import registry

RECORDS = "records"

# A record's labels, where the user has that dataset.
LabelsOf = Callable[[Record], Labels | None]


def add(run_record: Path, folder: Path, labels_of: LabelsOf | None = None) -> Entry:
    """Verify a finished run's record and copy it, with its predictions, to `folder/records/<protocol>/<id>/`.

    run_record: the record, or the folder that holds it. The protocol must be an installed one, as it is today; a record
    with another definition is accepted only if it says that it is unofficial. Such a record, and an incomplete one, is
    shown without a rank. Adding the same record again changes nothing. Raises IntegrityError for a record that does not
    agree with its predictions, with labels where they are at hand, or with what is known of the official lists. The
    pages are left to `build`.
    """
    path = record_path(run_record)
    record = read_record(path)
    labels = labels_of(record) if labels_of else None
    verify(record, path.parent, labels)
    known = known_protocol(record, path)
    if known.hash != record.protocol.hash and not record.marks.unofficial:
        stated = f"{record.protocol.name} with hash {record.protocol.hash}"
        raise IntegrityError(f"{path}: protocol {stated} is not one that is installed here")
    check_facts(record, path)
    if not record.units:
        raise IntegrityError(f"{path}: has no finished unit, so there is nothing to show")
    target = folder / place_of(record)
    if target.exists():
        verify(read_record(target / RECORD), target)
        return _read_entry(folder, target)
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
    return _read_entry(folder, target)


def read_entries(folder: Path) -> list[Entry]:
    """The entries in `folder`, ordered by path; schema errors are raised, scores are not verified."""
    return [_read_entry(folder, place) for place in sorted((folder / RECORDS).glob("*/*")) if place.is_dir()]


def entry_id(record: Record) -> str:
    """A readable name and the first 12 digits of the SHA-256 of the record's canonical JSON."""
    parts = [record.method.name, *(used.name for used in record.augmentations), record.label_mode]
    readable = "-".join(filter(None, (re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-") for part in parts)))
    return f"{readable[:80]}-{hash_value(record.canonical())[:12]}"


def place_of(record: Record) -> PurePosixPath:
    """Where a verified record belongs, relative to the leaderboard's folder."""
    return PurePosixPath(RECORDS, record.protocol.name, entry_id(record))


def verify(record: Record, folder: Path, labels: Labels | None = None) -> list[str]:
    """Verify a record with every metric that is installed, see `verify_record`."""
    return verify_record(record, folder, labels, tuple(registry().metrics.values()))


def known_protocol(record: Record, where: Path) -> Protocol:
    """The installed protocol of a record's name; IntegrityError if nobody here knows it, its data or its metrics."""
    stated = protocol_of(record, where)
    datasets = [stated.dataset, *([stated.test_on.dataset] if stated.test_on else [])]
    for kind, names in (("protocols", [stated.name]), ("datasets", datasets), ("metrics", stated.metrics)):
        unknown = [name for name in names if name not in getattr(registry(), kind)]
        if unknown:
            raise IntegrityError(
                f"{where}: unknown {kind.removesuffix('s')} '{unknown[0]}': no plugin's code is run to judge a record; "
                "make it part of the benchmark first (see CONTRIBUTING.md), or publish the record on a leaderboard of "
                "your own (--dir), where the plugin is installed"
            )
    return _load(registry().protocols[stated.name])


@functools.cache
def _load(path: Path) -> Protocol:
    """A thousand records are under few protocols."""
    return load_protocol(path)


def files_of(record: Record) -> list[str]:
    """The files of an entry, relative to its folder."""
    return [RECORD, *_prediction_paths(record)]


def _read_entry(folder: Path, place: Path) -> Entry:
    path = PurePosixPath(place.relative_to(folder))
    record = read_record(place / RECORD)
    return Entry(path, record, read_level(folder, path, record), read_published(folder, path))


def _prediction_paths(record: Record) -> list[str]:
    references = [reference for unit in record.units for reference in (unit.predictions.val, unit.predictions.test)]
    return [reference.path for reference in references if reference]
