"""What every row of a table should be held against: the annotators themselves, and answers that need no model.

The trivial rows follow from how many test clips each class has, which every record says. What annotators reach follows
from their votes, which are not published: whoever has them computes it once (`benchmark leaderboard build`), and it is
kept in `annotators.json`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, ValidationError

from benchmark.errors import IntegrityError
from benchmark.failures import one_line
from benchmark.files import hash_value, read_text, write_json
from benchmark.leaderboard.entry import Entry
from benchmark.protocol import Protocol
from benchmark.records import Record, protocol_of
from benchmark.registry import registry
from benchmark.scoring.annotators import Ceiling
from benchmark.scoring.scores import FileModel, metric_functions, rounded
from benchmark.validation import problem_of

ANNOTATORS = "annotators.json"
Share = Annotated[float, Field(ge=0, le=1)]

# What annotators reach on a record's test clips, where the user has their votes.
CeilingOf = Callable[[Record], Ceiling | None]


@dataclass(frozen=True)
class Reference:
    """A row that nobody trained: its title, what it is, and scores in 0..1 by metric and recall by class."""

    title: str
    about: str
    metrics: Mapping[str, float]
    recall: Mapping[str, float | None]


class AnnotatedProtocol(FileModel):
    """What annotators reach on the test clips of one protocol; see `Ceiling`.

    clips_sha256: a hash of the test splits' own hashes, which the records state.
    """

    protocol: str
    hash: str
    clips_sha256: str
    clips: int = Field(ge=1)
    war: Share
    uar: Share
    recall: dict[str, Share | None]
    cross_entropy: float = Field(ge=0)
    js: Share


class _File(FileModel):
    version: Literal[1] = 1
    protocols: tuple[AnnotatedProtocol, ...] = ()


def trivial_rows(record: Record) -> list[Reference]:
    """The best constant answer, and guessing by the classes' shares, on a record's test clips; means over its units."""
    protocol = protocol_of(record)
    counts = np.array([unit.scores.test.confusion for unit in record.units], dtype=np.float64).sum(axis=2)
    clips = counts.sum(axis=1, keepdims=True)
    size = counts.shape[1]
    constant = np.zeros((len(counts), size, size))
    constant[np.arange(len(counts)), :, counts.argmax(axis=1)] = counts
    drawn = counts[:, :, None] * (counts / clips)[:, None, :]
    one, several = ("answer", "answers") if protocol.answers else ("class", "classes")
    return [
        _trivial("Best constant answer", f"the most frequent {one} of the test clips, always", constant, protocol),
        _trivial(
            "Guessing",
            f"{several} drawn by their shares of the test clips; scores of the expected counts",
            drawn,
            protocol,
        ),
    ]


def annotator_row(annotated: AnnotatedProtocol) -> Reference:
    """One annotator against the plurality of the others."""
    about = (
        f"one of them against the plurality of the others, ties shared, on {annotated.clips:,} clips; no prediction's "
        f"cross-entropy to their votes can be less than {annotated.cross_entropy:.3f} nats, and two halves of them "
        f"differ by {annotated.js:.3f} bits of Jensen-Shannon divergence"
    )
    return Reference("Annotators", about, {"war": annotated.war, "uar": annotated.uar}, annotated.recall)


def references(entries: Sequence[Entry], annotated: Sequence[AnnotatedProtocol]) -> list[Reference]:
    """The reference rows of entries under one version of one protocol, from the first that has every fold."""
    whole = [entry.record for entry in entries if entry.record.units and not entry.record.marks.incomplete]
    if not whole:
        return []
    record = next((one for one in whole if one.eligible), whole[0])
    known = [one for one in annotated if (one.hash, one.clips_sha256) == (record.protocol.hash, clips_hash(record))]
    return [*map(annotator_row, known), *trivial_rows(record)]


def annotate(
    entries: Sequence[Entry], ceiling_of: CeilingOf, stored: Sequence[AnnotatedProtocol]
) -> list[AnnotatedProtocol]:
    """What annotators reach under each protocol of the entries: computed where votes are at hand, else as stored."""
    known = {(one.hash, one.clips_sha256): one for one in stored}
    found = {}
    for entry in entries:
        record = entry.record
        key = record.protocol.hash, clips_hash(record)
        if not record.units or record.marks.incomplete or key in found:
            continue
        ceiling = ceiling_of(record)
        if ceiling is not None:
            found[key] = _annotated(record, ceiling)
        elif key in known:
            found[key] = known[key]
    return sorted(found.values(), key=lambda one: (one.protocol, one.hash, one.clips_sha256))


def check_annotators(folder: Path, entries: Sequence[Entry], ceiling_of: CeilingOf | None) -> None:
    """What is kept of annotators is about clips of the entries, agrees with itself and, where they are, with the votes.

    IntegrityError if not.
    """
    stored = read_annotators(folder)
    records = {(entry.record.protocol.hash, clips_hash(entry.record)): entry.record for entry in entries}
    for one in stored:
        where = f"{folder / ANNOTATORS}: {one.protocol}"
        record = records.get((one.hash, one.clips_sha256))
        if record is None or record.protocol.name != one.protocol:
            raise IntegrityError(f"{where}: no record has these test clips")
        if list(one.recall) != list(protocol_of(record).classes):
            raise IntegrityError(f"{where}: recall is not of the protocol's classes")
        known = [value for value in one.recall.values() if value is not None]
        if abs(float(np.mean(known)) - one.uar) > 1e-9:
            raise IntegrityError(f"{where}: uar is not the mean of recall")
        ceiling = ceiling_of(record) if ceiling_of else None
        if ceiling is not None and _annotated(record, ceiling) != one:
            raise IntegrityError(f"{where}: is not what the annotators' votes give")


def read_annotators(folder: Path) -> tuple[AnnotatedProtocol, ...]:
    """What is kept of annotators; nothing if there is no file. IntegrityError names what is wrong with it."""
    path = folder / ANNOTATORS
    if not path.is_file():
        return ()
    try:
        return parse_annotators(read_text(path, links=False), str(path))
    except OSError as error:
        raise IntegrityError(f"{path}: cannot be read: {one_line(error)}") from error


def parse_annotators(text: str, name: str) -> tuple[AnnotatedProtocol, ...]:
    """What the text of a file called `name` says of annotators."""
    try:
        return _File.model_validate_json(text).protocols
    except ValidationError as error:
        raise IntegrityError(problem_of(error, name)) from error


def write_annotators(folder: Path, annotated: Sequence[AnnotatedProtocol]) -> Path:
    """Write the file."""
    write_json(folder / ANNOTATORS, _File(protocols=tuple(annotated)).model_dump(mode="json"))
    return folder / ANNOTATORS


def clips_hash(record: Record) -> str:
    """One hash of the test clips of all folds."""
    return hash_value(sorted({(unit.fold, unit.splits.test.sha256) for unit in record.units}))


def _annotated(record: Record, ceiling: Ceiling) -> AnnotatedProtocol:
    classes = protocol_of(record).classes
    recall = {
        name: None if np.isnan(value) else rounded(value) for name, value in zip(classes, ceiling.recall, strict=True)
    }
    return AnnotatedProtocol(
        protocol=record.protocol.name,
        hash=record.protocol.hash,
        clips_sha256=clips_hash(record),
        clips=ceiling.clips,
        war=rounded(ceiling.war),
        uar=rounded(ceiling.uar),
        recall=recall,
        cross_entropy=rounded(ceiling.cross_entropy),
        js=rounded(ceiling.js),
    )


def _trivial(title: str, about: str, confusions: np.ndarray, protocol: Protocol) -> Reference:
    computes = metric_functions(protocol, list(registry().metrics.values()))
    metrics = {name: float(np.mean(compute(confusions))) for name, compute in computes.items()}
    counts = confusions.sum(axis=(0, 2))
    right = np.einsum("ukk->k", confusions)
    recall = {name: float(right[k] / counts[k]) if counts[k] else None for k, name in enumerate(protocol.answer_names)}
    return Reference(title, about, metrics, recall)
