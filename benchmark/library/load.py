"""`benchmark.load`: finished runs as arrays, for a notebook or another program."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.finished.rescoring import read_finished
from benchmark.records import RECORD, Record, ScoredSplit, UnitRecord, record_path


@dataclass(frozen=True)
class UnitPredictions:
    """What one unit predicted for one split.

    ids: of N clips (or labelled frames). probabilities: (N, K), in the order of the run's classes. confusion: (K, K),
    rows are true classes. scores: in 0..1, by metric.
    """

    unit: UnitRecord
    split: ScoredSplit
    ids: tuple[str, ...]
    probabilities: np.ndarray
    confusion: np.ndarray
    scores: dict[str, float]


@dataclass(frozen=True)
class LoadedRun:
    """A finished run, verified against its predictions: its record, its classes, and what each unit predicted."""

    path: Path
    record: Record
    classes: tuple[str, ...]
    units: tuple[UnitPredictions, ...]

    @property
    def name(self) -> str:
        """Method, augmentations and labels."""
        names = [self.record.method.name, *(used.name for used in self.record.augmentations)]
        return f"{' + '.join(names)}, {self.record.label_mode} labels"

    def table(self) -> list[dict[str, str | int | float]]:
        """One row for each unit and metric (`run`, `seed`, `fold`, `metric`, `value`), as data frames are made from."""
        return [
            {"run": self.name, "seed": each.unit.seed, "fold": each.unit.fold, "metric": metric, "value": value}
            for each in self.units
            for metric, value in each.scores.items()
        ]


def load(path: Path | str, split: ScoredSplit = "test") -> list[LoadedRun]:
    """The finished runs at `path`: a record, a folder that holds one, or a folder of runs, in the order of their paths.

    Raises IntegrityError for a record that does not agree with its predictions.
    """
    place = record_path(Path(path))
    found = [place] if place.is_file() else sorted(Path(path).rglob(RECORD))
    return [_load(record, split) for record in found]


def _load(path: Path, split: ScoredSplit) -> LoadedRun:
    run = read_finished(path, split)
    units = tuple(
        UnitPredictions(
            unit=unit,
            split=split,
            ids=tuple(predictions.ids),
            probabilities=predictions.probabilities,
            confusion=confusion,
            scores={name: estimate.value for name, estimate in scores.metrics.items()},
        )
        for unit, predictions, confusion in zip(run.units, run.predictions, run.confusions, strict=True)
        if (scores := unit.scores[split]) is not None
    )
    return LoadedRun(run.path, run.record, tuple(run.protocol.classes), units)
