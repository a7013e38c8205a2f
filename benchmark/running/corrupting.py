"""A finished unit's test clips, spoiled in every way and severity, and predicted again; nothing is trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmark.datasets.scored import scored_ids
from benchmark.datasets.splits import hash_ids
from benchmark.errors import IntegrityError
from benchmark.files import hash_file, read_text, write_text
from benchmark.locks import exclusive
from benchmark.planning.data import Data
from benchmark.records import Record, UnitRecord, protocol_of
from benchmark.running.again import predict_again
from benchmark.scoring.predictions import Predictions, read_predictions, write_predictions
from benchmark.specs import ReportProgress
from benchmark.validation import problem_of
from benchmark.video.corruptions import CORRUPTIONS

FOLDER, STATE = "corrupted", "corrupted.json"
Corruption = tuple[str, int]


class CorruptedState(BaseModel):
    """What was predicted on spoiled clips: by which checkpoint (its SHA-256), and each file's SHA-256 by its name."""

    model_config = ConfigDict(extra="forbid")

    checkpoint: str
    files: dict[str, str] = Field(default_factory=dict)


def all_corruptions(severities: Sequence[int]) -> list[Corruption]:
    """Every way of spoiling clips, in these severities."""
    return [(name, severity) for name in CORRUPTIONS for severity in severities]


def predict_corrupted(
    record: Record,
    unit: UnitRecord,
    folder: Path,
    data: Data,
    checkpoint: Path,
    corruptions: Sequence[Corruption],
    *,
    device: str,
    cache: Path,
    report: ReportProgress,
) -> dict[Corruption, Predictions]:
    """The unit's predictions on test clips spoiled in each way; what was predicted before is read.

    folder: the unit's, where the predictions are kept below `corrupted/`. checkpoint: the one that the record names.
    Raises IntegrityError for data that have other test clips than the record's.
    """
    clips = data.folds[unit.fold].test
    if hash_ids(scored_ids(clips)) != unit.splits.test.sha256:
        raise IntegrityError(f"{data.test_root}: has other test clips than the record (fold {unit.fold})")
    classes = protocol_of(record).classes
    place = folder / FOLDER
    found = {}
    with exclusive(place):
        state = _state(place, unit)
        for done, (name, severity) in enumerate(corruptions):
            report(done, len(corruptions))
            file = f"{name}-{severity}.csv.gz"
            path = place / file
            if not (file in state.files and path.is_file() and hash_file(path) == state.files[file]):
                made = predict_again(
                    record, unit, data, clips, checkpoint, device, corruption=(name, severity), cache=cache
                )
                write_predictions(path, made, classes)
                state.files[file] = hash_file(path)
                write_text(place / STATE, state.model_dump_json(indent=2) + "\n")
            found[name, severity] = read_predictions(path, classes)
        report(len(corruptions), len(corruptions))
    return found


def _state(place: Path, unit: UnitRecord) -> CorruptedState:
    """What was kept, or nothing where another checkpoint was at work."""
    path = place / STATE
    fresh = CorruptedState(checkpoint=unit.checkpoint_sha256)
    if not path.is_file():
        return fresh
    try:
        kept = CorruptedState.model_validate_json(read_text(path))
    except ValidationError as error:
        raise IntegrityError(f"{problem_of(error, str(path))}; delete {place} to predict again") from error
    return kept if kept.checkpoint == fresh.checkpoint else fresh
