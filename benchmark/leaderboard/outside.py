"""Systems that are no method of this benchmark: their answers, checked, in a section of the pages of their own."""

from __future__ import annotations

import csv
import gzip
import io
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from pydantic import ValidationError

from benchmark.datasets.scored import scored_clusters, scored_ids, true_answers
from benchmark.datasets.splits import Fold, hash_ids
from benchmark.errors import IntegrityError, UsageError
from benchmark.files import hash_file, hash_value, read_bounded, sync_folder, write_json
from benchmark.leaderboard.facts import difference_from_facts
from benchmark.leaderboard.markdown import escape, percent, render_table
from benchmark.plain_yaml import read_yaml
from benchmark.planning.data import Data
from benchmark.protocol import Protocol
from benchmark.protocol.facts import known_facts
from benchmark.records import (
    OUTSIDE,
    Declared,
    FileReference,
    FoldAnswers,
    OutsideAnswers,
    ProtocolUse,
    SplitUse,
    outside_summary,
    read_outside,
    stated_protocol,
    verify_outside,
)
from benchmark.registry import registry
from benchmark.scoring.predictions import MAX_BYTES, Predictions, write_predictions
from benchmark.scoring.scores import score_split
from benchmark.validation import problem_of

SYSTEMS = "systems"
TITLE = "Systems that were not trained here"
ABOUT = (
    "Answers of systems that are no method of this benchmark, scored by the same rules. What such a system has seen in "
    "its training nobody here can know, so none has a rank."
)


@dataclass(frozen=True)
class OutsideEntry:
    """Answers that were accepted; `path` is their folder, relative to the leaderboard's."""

    path: PurePosixPath
    answers: OutsideAnswers


def add_outside(predictions: Path, system: Path, protocol: Protocol, data: Data, folder: Path) -> OutsideEntry:
    """Score a file of answers and keep it below `folder/systems/<protocol>/`; the pages are left to `build`.

    predictions: CSV, plain or gzip, of all test clips: `clip_id,label`, or `clip_id` and a column `p_<class>` for each
    class, in any order. system: a YAML file with the fields of `Declared`. Raises IntegrityError for answers that are
    not those of the protocol's test clips, each once, UsageError for an unknown class or column.
    """
    if protocol.answers:
        raise UsageError(
            f"protocol {protocol.name}: {protocol.answers} are told by thresholds that are chosen on val, of which a "
            "system gives no answers; it cannot be scored here"
        )
    declared = _declared(system)
    ids, probabilities, single = read_answers(predictions, protocol.classes)
    row = {clip_id: number for number, clip_id in enumerate(ids)}
    wanted = {name for fold in data.folds.values() for name in scored_ids(fold.test)}
    _all_there(predictions, set(row), wanted)
    folder.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".adding-", dir=folder))
    try:
        answers = OutsideAnswers(
            system=declared,
            protocol=ProtocolUse(
                name=protocol.name, version=protocol.version, hash=protocol.hash, definition=protocol.canonical()
            ),
            synthetic=data.synthetic,
            single=single,
            folds=[
                _fold(
                    temporary,
                    fold,
                    probabilities[[row[name] for name in dict.fromkeys(scored_ids(fold.test))]],
                    protocol,
                )
                for fold in data.folds.values()
            ],
        )
        check_outside(answers, temporary)
        write_json(temporary / OUTSIDE, answers.model_dump(mode="json"))
        target = folder / place_of_outside(answers)
        if not target.exists():
            temporary.chmod(0o755)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(temporary, target)
            sync_folder(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return OutsideEntry(place_of_outside(answers), answers)


def read_answers(path: Path, classes: Sequence[str]) -> tuple[list[str], np.ndarray, bool]:
    """Clip ids, probabilities (N, K) in the order of `classes`, and whether they are single answers."""
    content = read_bounded(path, MAX_BYTES)
    try:
        text = (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode("utf-8-sig")
        header, *rows = list(csv.reader(io.StringIO(text)))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, ValueError) as error:
        raise IntegrityError(f"{path}: is no CSV file in UTF-8: {error}") from error
    expected = ["clip_id", *(f"p_{name}" for name in classes)]
    single = sorted(header) == ["clip_id", "label"]
    if not single and sorted(header) != sorted(expected):
        raise UsageError(
            f"{path}: line 1: has the columns {', '.join(header)}; give clip_id and label, or {', '.join(expected)}"
        )
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise IntegrityError(f"{path}: line {number}: has {len(row)} fields, not {len(header)}")
    table = [dict(zip(header, row, strict=True)) for row in rows]
    first: dict[str, int] = {}
    for number, one in enumerate(table, start=2):
        if first.setdefault(one["clip_id"], number) != number:
            raise IntegrityError(f"{path}: line {number}: clip {one['clip_id']!r} is there twice")
    if single:
        place = {name: number for number, name in enumerate(classes)}
        for number, one in enumerate(table, start=2):
            if one["label"] not in place:
                raise UsageError(f"{path}: line {number}: '{one['label']}' is none of {', '.join(classes)}")
        values = np.eye(len(classes), dtype=np.float32)[[place[one["label"]] for one in table]]
    else:
        try:
            values = np.array([[float(one[name]) for name in expected[1:]] for one in table], dtype=np.float32)
        except ValueError as error:
            raise IntegrityError(f"{path}: {error}") from error
    return [one["clip_id"] for one in table], values.reshape(-1, len(classes)), single


def read_outside_entries(folder: Path) -> list[OutsideEntry]:
    """What was accepted, ordered by path; scores are not verified."""
    places = sorted(place for place in (folder / SYSTEMS).glob("*/*") if place.is_dir())
    return [OutsideEntry(PurePosixPath(place.relative_to(folder)), read_outside(place / OUTSIDE)) for place in places]


def place_of_outside(answers: OutsideAnswers) -> PurePosixPath:
    """Where answers belong, relative to the leaderboard's folder: named by the system and a hash of everything."""
    readable = re.sub(r"[^a-z0-9]+", "-", f"{answers.system.name} {answers.system.version}".lower()).strip("-")
    name = f"{readable[:80]}-{hash_value(answers.model_dump(mode='json'))[:12]}"
    return PurePosixPath(SYSTEMS, answers.protocol.name, name)


def files_of_outside(answers: OutsideAnswers) -> list[str]:
    """The files of an entry, relative to its folder."""
    return [OUTSIDE, *dict.fromkeys(fold.predictions.path for fold in answers.folds)]


def check_outside(answers: OutsideAnswers, folder: Path, labels: Mapping[str, str] | None = None) -> None:
    """Every score follows from the predictions, and the clips are those of the official lists where these are known.

    labels: see `verify_outside`.
    """
    verify_outside(answers, folder, labels)
    protocol = stated_protocol(answers.protocol, folder / OUTSIDE)
    facts = {} if answers.synthetic else known_facts(protocol)
    for fold in answers.folds:
        known = facts.get(fold.fold, {}).get("test")
        found = known and difference_from_facts("test", known, fold.clips, fold.scores, protocol)
        if found:
            raise IntegrityError(f"{folder / OUTSIDE}: fold {fold.fold}: {found}")


def by_protocol(entries: Sequence[OutsideEntry]) -> list[list[OutsideEntry]]:
    """The entries under each protocol, real and synthetic apart."""
    keys = dict.fromkeys((entry.answers.protocol.name, entry.answers.synthetic) for entry in entries)
    return [[one for one in entries if (one.answers.protocol.name, one.answers.synthetic) == key] for key in keys]


def system_header(entry: OutsideEntry, titles: Mapping[str, str]) -> list[str]:
    """The headings of `system_cells`, as plain text."""
    metrics = stated_protocol(entry.answers.protocol, str(entry.path)).metrics
    return ["System", "Version", "Given", "Answers", *(titles.get(name, name) for name in metrics), "Answers kept"]


def system_cells(entry: OutsideEntry) -> list[str]:
    """A system and its scores, as escaped markdown; the last cell is a link."""
    system = entry.answers.system
    protocol = stated_protocol(entry.answers.protocol, str(entry.path))
    summaries = outside_summary(entry.answers, protocol).values()
    scores = [f"{percent(one.mean)} [{percent(one.low)}, {percent(one.high)}]" for one in summaries]
    kind = "one class each" if entry.answers.single else "probabilities"
    return [
        *map(escape, (system.name, system.version, ", ".join(system.inputs), kind)),
        *scores,
        f"[system]({entry.path}/{OUTSIDE})",
    ]


def render_outside(entries: Sequence[OutsideEntry], titles: Mapping[str, str]) -> str:
    """Markdown: one table for each protocol; empty if there is nothing."""
    if not entries:
        return ""
    parts = [f"## {TITLE}\n", f"{ABOUT}\n"]
    for own in by_protocol(entries):
        header = list(map(escape, system_header(own[0], titles)))
        table = render_table(header, [system_cells(entry) for entry in own])
        parts += [f"### {escape(own[0].answers.protocol.name)}\n", f"{table}\n"]
    return "\n".join(parts)


def _declared(path: Path) -> Declared:
    try:
        return Declared.model_validate(read_yaml(path))
    except ValidationError as error:
        raise UsageError(problem_of(error, str(path))) from error
    except OSError as error:
        raise UsageError(f"--system {path}: {error.strerror}") from error


def _all_there(path: Path, given: set[str], wanted: set[str]) -> None:
    for names, what in ((wanted - given, "test clips have no answer"), (given - wanted, "answers are of no test clip")):
        if names:
            first = ", ".join(map(repr, sorted(names)[:5]))
            raise IntegrityError(f"{path}: {len(names)} {what}: {first}{', ...' if len(names) > 5 else ''}")


def _fold(place: Path, fold: Fold, probabilities: np.ndarray, protocol: Protocol) -> FoldAnswers:
    ids = tuple(dict.fromkeys(scored_ids(fold.test)))
    clusters = None
    if protocol.clustered_by:
        known = scored_clusters(fold.test, protocol.clustered_by)
        clusters = tuple(known[name] for name in ids)
    predictions = Predictions(ids, probabilities, clusters)
    file = f"fold-{fold.number}.csv.gz"
    write_predictions(place / file, predictions, protocol.classes)
    return FoldAnswers(
        fold=fold.number,
        clips=SplitUse(clips=len(ids), sha256=hash_ids(ids)),
        predictions=FileReference(path=file, sha256=hash_file(place / file)),
        scores=score_split(predictions, true_answers(fold.test, protocol), protocol, list(registry().metrics.values())),
    )
