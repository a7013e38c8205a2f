"""Checking a leaderboard: every score against its predictions, every comparison, every page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from benchmark.errors import IntegrityError
from benchmark.leaderboard.building import PAGES, REPORTED, rendered
from benchmark.leaderboard.entries import (
    RECORDS,
    LabelsOf,
    files_of,
    installed_protocols,
    place_of,
    read_entries,
    verify,
)
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.reported import check_arithmetic, load_reported
from benchmark.leaderboard.ties import (
    COMPARISONS,
    Comparisons,
    Labels,
    check_comparisons,
    rankings,
    read_comparisons,
)
from benchmark.processes import follow_parent, worker_pool
from benchmark.protocol import Protocol
from benchmark.records import Record
from benchmark.specs import ReportProgress

# With fewer records, starting processes takes longer than the work.
FEW = 8
DIED = "a worker process died while it checked records, perhaps for lack of memory; try again with a smaller --workers"


@dataclass(frozen=True)
class Checked:
    """What was verified: all entries, and those of which the labels were at hand."""

    entries: tuple[Entry, ...]
    with_labels: tuple[Entry, ...]


def check(
    folder: Path,
    labels_of: LabelsOf | None = None,
    workers: int = 1,
    report: ReportProgress = lambda done, total: None,
) -> Checked:
    """Verify every record against its predictions, the comparisons and pages against the records.

    labels_of: gives a record's labels where the user has that dataset, else None; with labels every score is recomputed
    from the predictions, without them from the stored confusions (see `verify_record`). Raises IntegrityError naming
    the first file that is wrong.
    """
    entries = read_entries(folder)
    labels = {entry.path: labels_of(entry.record) if labels_of else None for entry in entries}
    known = installed_protocols()
    for entry in entries:
        where = folder / entry.path
        if entry.path != place_of(entry.record):
            # What is wrong inside the record says more than that its name no longer fits.
            verify(entry.record, where, labels[entry.path])
            raise IntegrityError(f"{where}: the record's content belongs into {place_of(entry.record)}")
        _check_protocol(entry.record, known.get(entry.record.protocol.name), where)
    _check_no_strays(folder, entries)
    problems = [problem for table in load_reported(folder / REPORTED) for problem in check_arithmetic(table)]
    if problems:
        raise IntegrityError(f"{folder / REPORTED}: {problems[0]}")
    for name in PAGES:
        _check_links(folder / name)
    jobs: list[_Job] = [(verify, (entry.record, folder / entry.path, labels[entry.path])) for entry in entries]
    comparing, comparisons = _comparison_jobs(folder, entries, labels)
    for done, _ in enumerate(_run([*jobs, *comparing], workers), start=1):
        report(done, len(jobs) + len(comparing))
    for name, text in rendered(folder, entries, comparisons).items():
        _check_page(folder / name, text)
    return Checked(tuple(entries), tuple(entry for entry in entries if labels[entry.path] is not None))


_Job = tuple[Callable[..., None], tuple[Any, ...]]


def _run(jobs: Sequence[_Job], workers: int) -> Iterator[None]:
    """Call every function with its arguments, several at a time; yields as each is done."""
    if workers <= 1 or len(jobs) < FEW:
        for function, arguments in jobs:
            function(*arguments)
            yield
        return
    with worker_pool(min(workers, len(jobs)), follow_parent, died=DIED) as pool:
        for future in as_completed([pool.submit(function, *arguments) for function, arguments in jobs]):
            yield future.result()


def _comparison_jobs(
    folder: Path, entries: Sequence[Entry], labels: Mapping[PurePosixPath, Labels | None]
) -> tuple[list[_Job], tuple[Comparisons, ...]]:
    """What checks the comparisons of each ranking."""
    stored = {one.entries: one for one in read_comparisons(folder)}
    expected = {rivals.paths: rivals for rivals in rankings(entries)}
    if set(stored) != set(expected):
        raise IntegrityError(
            f"{folder / COMPARISONS}: is not about the rows of the rankings; run `benchmark leaderboard build`"
        )
    jobs: list[_Job] = [
        (check_comparisons, (stored[key], folder, rivals, {path: labels[PurePosixPath(path)] for path in rivals.paths}))
        for key, rivals in expected.items()
    ]
    return jobs, tuple(stored[key] for key in expected)


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


def _check_no_strays(folder: Path, entries: Sequence[Entry]) -> None:
    """Only records and predictions may be published: anything else could be a gated dataset's labels."""
    expected = {folder / entry.path / name for entry in entries for name in files_of(entry.record)}
    for path in sorted((folder / RECORDS).rglob("*")):
        if path.is_symlink() or (not path.is_dir() and path not in expected):
            raise IntegrityError(f"{path}: belongs to no record")


def _check_links(path: Path) -> None:
    if not path.is_file():
        raise IntegrityError(f"{path}: is missing; run `benchmark leaderboard build`")
    for link in re.findall(r"\]\((records/[^)\s]+)\)", path.read_text(encoding="utf-8")):
        if not (path.parent / link).is_file():
            raise IntegrityError(f"{path.parent / link}: the record is gone, but {path.name} still links to it")


def _check_page(path: Path, expected: str) -> None:
    if not path.is_file() or path.read_bytes() != expected.encode():
        raise IntegrityError(f"{path}: is not what the records give; run `benchmark leaderboard build`")
