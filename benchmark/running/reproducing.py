"""Predictions made again from a record's checkpoints, of a few clips that nobody could choose."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.datasets.scored import scored_ids
from benchmark.datasets.splits import hash_ids
from benchmark.errors import IntegrityError
from benchmark.planning.data import Data
from benchmark.records import Record, UnitRecord, protocol_of
from benchmark.running.again import checkpoints_among, predict_again
from benchmark.scoring.predictions import read_predictions
from benchmark.specs import Clip, ReportProgress


@dataclass(frozen=True)
class Reproduced:
    """What came of one unit: of how many clips, by how much a probability differs at most, and on which clip."""

    seed: int
    fold: int
    clips: int
    difference: float
    clip: str


def reproduce(
    record: Record,
    folder: Path,
    data: Data,
    weights: Sequence[Path],
    *,
    choice: str,
    clips: int,
    device: str,
    report: ReportProgress,
) -> list[Reproduced]:
    """Predict `clips` test clips of each unit whose checkpoint is among `weights`, and compare with the record's.

    folder: the record's. weights: files, or folders that hold them. choice: the record's hash; clips are those with the
    smallest SHA-256 of `"<choice>/<seed>/<fold>/<clip-id>"`, so that no one can know them before the record is fixed.
    Raises IntegrityError for a file that is no unit's checkpoint, and for data that have other clips than the record's.
    """
    checkpoints = checkpoints_among(record, weights)
    found = []
    if data.crops != record.data.crops:
        here, there = ("no crops of one's own" if c is None else c.title for c in (data.crops, record.data.crops))
        raise IntegrityError(f"{data.test_root}: has {here}, the record is of: {there}")
    for done, (unit, checkpoint) in enumerate(checkpoints):
        report(done, len(checkpoints))
        fold = data.folds[unit.fold]
        if hash_ids(scored_ids(fold.test)) != unit.splits.test.sha256:
            raise IntegrityError(f"{data.test_root}: has other test clips than the record (fold {unit.fold})")
        prefix = f"{choice}/{unit.seed}/{unit.fold}"
        chosen = sorted(fold.test, key=lambda clip: hashlib.sha256(f"{prefix}/{clip.id}".encode()).digest())[:clips]
        found.append(_reproduce_unit(record, unit, folder, data, chosen, checkpoint, device))
    report(len(checkpoints), len(checkpoints))
    return found


def _reproduce_unit(
    record: Record, stated: UnitRecord, folder: Path, data: Data, clips: Sequence[Clip], checkpoint: Path, device: str
) -> Reproduced:
    again = predict_again(record, stated, data, clips, checkpoint, device)
    published = read_predictions(folder / stated.predictions.test.path, protocol_of(record).classes)
    row = {clip_id: number for number, clip_id in enumerate(published.ids)}
    differences = np.abs(again.probabilities - published.probabilities[[row[name] for name in again.ids]]).max(axis=1)
    worst = int(differences.argmax())
    return Reproduced(stated.seed, stated.fold, len(clips), float(differences[worst]), again.ids[worst])
