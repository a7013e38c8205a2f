"""Further results that were published: beside the records, which are fixed, and never changed themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from benchmark.files import replacing, write_json
from benchmark.records import Record, protocol_of
from benchmark.records.further import (
    CONFIDENCE,
    ROBUSTNESS,
    UNLABELLED,
    Confidence,
    FurtherResults,
    lacking_units,
    read_further,
)
from benchmark.records.further_scores import confidence_of
from benchmark.records.verify_further import verify_further
from benchmark.scoring.predictions import read_predictions

if TYPE_CHECKING:
    from benchmark.leaderboard.entry import Entry

FURTHER = "further"


def place_of_further(entry: PurePosixPath) -> PurePosixPath:
    """Where an entry's further results lie, relative to the leaderboard's folder."""
    return PurePosixPath(FURTHER, *entry.parts[1:])


def files_of_further(folder: Path, entry: Entry) -> list[Path]:
    """The files that may lie among an entry's further results."""
    place = folder / place_of_further(entry.path)
    names = [name for file, used in entry.further.files.items() for name in (file, *(one.path for one in used))]
    return [place / name for name in names]


def publish_further(
    run: Path,
    folder: Path,
    entry: Entry,
    labels: Mapping[str, str] | None = None,
    votes: Mapping[str, Sequence[float]] | None = None,
) -> tuple[list[str], list[str]]:
    """Copy the further results beside a run's record that an entry does not have yet, each with its predictions.

    run: the folder of the entry's record. Where the test clips' labels are given, what the model's confidence is worth
    is computed from its predictions and added too. Returns the names of the files that were added, and why others were
    not.
    Raises IntegrityError for a result that does not agree with the record or its predictions; see `verify_further`.
    """
    found = read_further(run)
    left_out: list[str] = []
    if found.robustness and (problem := lacking_units(found.robustness.units, entry.record)):
        left_out.append(f"{ROBUSTNESS} {problem}")
        found = found.model_copy(update={"robustness": None})
    if found.unlabelled and (problem := lacking_units(found.unlabelled.units, entry.record)):
        left_out.append(f"{UNLABELLED} {problem}")
        found = found.model_copy(update={"unlabelled": None})
    verify_further(found, entry.record, run, run, labels, votes)
    place = folder / place_of_further(entry.path)
    added = []
    for name, used in found.files.items():
        if (place / name).exists():
            if (place / name).read_bytes() != (run / name).read_bytes():
                left_out.append(f"{name} is published already, with other values")
            continue
        # The result last: what it refers to must be there.
        for path in (*(one.path for one in used), name):
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            with replacing(place / path) as temporary:
                temporary.write_bytes((run / path).read_bytes())
        added.append(name)
    # How sure a model is of a class says nothing of a blend.
    single = protocol_of(entry.record).answers is None
    if labels is not None and single and not (place / CONFIDENCE).exists():
        place.mkdir(parents=True, exist_ok=True)
        write_json(place / CONFIDENCE, _confidence(run, entry.record, labels).model_dump(mode="json"))
        added.append(CONFIDENCE)
    return added, left_out


def _confidence(run: Path, record: Record, labels: Mapping[str, str]) -> Confidence:
    protocol = protocol_of(record)
    files = [run / unit.predictions.test.path for unit in record.units]
    predictions = [read_predictions(file, protocol.classes) for file in files]
    return confidence_of(record.units, protocol, predictions, labels)


def read_published(folder: Path, entry: PurePosixPath) -> FurtherResults:
    """An entry's published further results; nothing of them is verified."""
    return read_further(folder / place_of_further(entry))


def check_further(
    entry: Entry,
    folder: Path,
    labels: Mapping[str, str] | None = None,
    votes: Mapping[str, Sequence[float]] | None = None,
) -> None:
    """Verify an entry's further results; IntegrityError at the first that does not follow."""
    place = folder / place_of_further(entry.path)
    verify_further(entry.further, entry.record, folder / entry.path, place, labels, votes)
