"""Checking a leaderboard: every score against its predictions, every comparison, every page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from benchmark.errors import IntegrityError
from benchmark.files import read_bounded, read_text
from benchmark.leaderboard.attestations import ATTESTATIONS, files_of_attestations
from benchmark.leaderboard.comparisons import COMPARISONS, Comparisons, read_comparisons
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.entry_files import (
    RECORDS,
    LabelsOf,
    files_of,
    known_protocol,
    place_of,
    read_entries,
    verify,
)
from benchmark.leaderboard.facts import check_facts
from benchmark.leaderboard.further import FURTHER, check_further, files_of_further
from benchmark.leaderboard.outside import (
    SYSTEMS,
    OutsideEntry,
    check_outside,
    files_of_outside,
    place_of_outside,
    read_outside_entries,
)
from benchmark.leaderboard.pairing import check_comparisons
from benchmark.leaderboard.references import CeilingOf, check_annotators
from benchmark.leaderboard.rendering import RENDERED, REPORTED, rendered
from benchmark.leaderboard.reported import check_arithmetic, load_reported
from benchmark.leaderboard.rivals import Labels, rankings
from benchmark.processes import follow_parent, worker_pool
from benchmark.protocol import Protocol
from benchmark.records import Record
from benchmark.specs import ReportProgress

PUBLISHED = (RECORDS, ATTESTATIONS, SYSTEMS, FURTHER)
# The votes of a record's clips, where the user has them.
VotesOf = Callable[[Record], Mapping[str, Sequence[float]] | None]
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
    ceiling_of: CeilingOf | None = None,
    votes_of: VotesOf | None = None,
) -> Checked:
    """Verify every record against its predictions, the comparisons and pages against the records.

    labels_of: gives a record's labels where the user has that dataset, else None; with labels every score is recomputed
    from the predictions, without them from the stored confusions (see `verify_record`). ceiling_of: gives what
    annotators reach, where the user has their votes; votes_of: the votes themselves. Raises IntegrityError naming the
    first file that is wrong.
    """
    _check_no_links(folder)
    entries = read_entries(folder)
    labels = {entry.path: labels_of(entry.record) if labels_of else None for entry in entries}
    for entry in entries:
        where = folder / entry.path
        if entry.path != place_of(entry.record):
            # What is wrong inside the record says more than that its name no longer fits.
            verify(entry.record, where, labels[entry.path])
            raise IntegrityError(f"{where}: the record's content belongs into {place_of(entry.record)}")
        _check_protocol(entry.record, known_protocol(entry.record, where), where)
        check_facts(entry.record, where)
    outside = read_outside_entries(folder)
    # A system is scored on the clips of the records under its protocol, whose labels were found with theirs.
    joined = {
        (entry.record.protocol.hash, entry.record.data.synthetic): known["test"]
        for entry in entries
        if (known := labels[entry.path]) is not None
    }
    for system in outside:
        answers = system.answers
        check_outside(answers, folder / system.path, joined.get((answers.protocol.hash, answers.synthetic)))
        if system.path != place_of_outside(system.answers):
            raise IntegrityError(f"{folder / system.path}: the content belongs into {place_of_outside(system.answers)}")
    check_annotators(folder, entries, ceiling_of)
    _check_no_strays(folder, entries, outside)
    problems = [problem for table in load_reported(folder / REPORTED) for problem in check_arithmetic(table)]
    if problems:
        raise IntegrityError(f"{folder / REPORTED}: {problems[0]}")
    for name in RENDERED:
        _check_links(folder / name)
    jobs: list[_Job] = [(verify, (entry.record, folder / entry.path, labels[entry.path])) for entry in entries]
    comparing, comparisons = _comparison_jobs(folder, entries, labels)
    more = [*comparing, *_further_jobs(folder, entries, labels, votes_of)]
    digests: dict[int, list[str]] = {}
    for done, (number, result) in enumerate(_run([*jobs, *more], workers), start=1):
        if number < len(jobs):
            digests[number] = result
        report(done, len(jobs) + len(more))
    _check_no_copies(folder, entries, [digests[number] for number in range(len(jobs))])
    for name, text in rendered(folder, entries, comparisons).items():
        _check_page(folder / name, text)
    return Checked(tuple(entries), tuple(entry for entry in entries if labels[entry.path] is not None))


_Job = tuple[Callable[..., Any], tuple[Any, ...]]


def _run(jobs: Sequence[_Job], workers: int) -> Iterator[tuple[int, Any]]:
    """Call every function with its arguments, several at a time; yields the job's number and result as each is done."""
    if workers <= 1 or len(jobs) < FEW:
        for number, (function, arguments) in enumerate(jobs):
            yield number, function(*arguments)
        return
    with worker_pool(min(workers, len(jobs)), follow_parent, died=DIED) as pool:
        futures = {pool.submit(function, *arguments): number for number, (function, arguments) in enumerate(jobs)}
        for future in as_completed(futures):
            yield futures[future], future.result()


def _check_no_copies(folder: Path, entries: Sequence[Entry], digests: Sequence[Sequence[str]]) -> None:
    """No model has another's predictions to the last digit, under one protocol, nor one seed another's.

    digests: of each entry's units. Equal ones mean that a file was copied, or a result published twice.
    """
    seen: dict[tuple[str, str], str] = {}
    for entry, of_units in zip(entries, digests, strict=True):
        for unit, digest in zip(entry.record.units, of_units, strict=True):
            place = f"seed {unit.seed}, fold {unit.fold}"
            name = f"{entry.path}, {place}"
            other = seen.setdefault((entry.record.protocol.name, digest), name)
            if other != name:
                raise IntegrityError(f"{folder / entry.path}: {place}: has the same predictions as {other}")


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


def _further_jobs(
    folder: Path,
    entries: Sequence[Entry],
    labels: Mapping[PurePosixPath, Labels | None],
    votes_of: VotesOf | None,
) -> list[_Job]:
    """What checks the further results of each entry that has some."""
    jobs: list[_Job] = []
    for entry in entries:
        if entry.further.files:
            known = labels[entry.path]
            votes = votes_of(entry.record) if votes_of and entry.further.unlabelled else None
            jobs.append((check_further, (entry, folder, known["test"] if known else None, votes)))
    return jobs


def _check_protocol(record: Record, known: Protocol, where: Path) -> None:
    """An official record's protocol is the installed one, or an earlier version that was installed when it came."""
    stated = record.protocol
    if record.marks.unofficial or stated.version < known.version:
        return
    if stated.hash != known.hash:
        stated_name = f"{stated.name} version {stated.version}"
        raise IntegrityError(f"{where}: protocol {stated_name} has hash {known.hash}, not {stated.hash}")


def _check_no_strays(folder: Path, entries: Sequence[Entry], outside: Sequence[OutsideEntry]) -> None:
    """Only what the files below are may be published: anything else could be a gated dataset's labels."""
    expected = {folder / entry.path / name for entry in entries for name in files_of(entry.record)}
    expected |= {path for entry in entries for path in files_of_attestations(folder, entry.path)}
    expected |= {path for entry in entries for path in files_of_further(folder, entry)}
    expected |= {folder / system.path / name for system in outside for name in files_of_outside(system.answers)}
    for path in sorted(path for place in PUBLISHED for path in (folder / place).rglob("*")):
        if not path.is_dir() and path not in expected:
            raise IntegrityError(f"{path}: belongs to no record")


def _check_no_links(folder: Path) -> None:
    """What is published lies here: a link could lead to a file that is something else for everybody."""
    for place in (folder / name for name in PUBLISHED):
        for path in (place, *sorted(place.rglob("*"))):
            if path.is_symlink():
                raise IntegrityError(f"{path}: is a link; only plain files may be published")


def _check_links(path: Path) -> None:
    if not path.is_file():
        raise IntegrityError(f"{path}: is missing; run `benchmark leaderboard build`")
    for link in re.findall(r"\]\((records/[^)\s]+)\)", read_text(path, links=False)):
        if not (path.parent / link).is_file():
            raise IntegrityError(f"{path.parent / link}: the record is gone, but {path.name} still links to it")


def _check_page(path: Path, expected: str) -> None:
    if not path.is_file() or read_bounded(path, links=False) != expected.encode():
        raise IntegrityError(f"{path}: is not what the records give; run `benchmark leaderboard build`")
