"""Ties: neighbours of a ranking that the data cannot separate share a rank.

What was compared is published as counts: for two records the clips by true class and both predictions. The counts of
true classes follow from the records' confusions anyway; that the two runs' clips were joined rightly can be checked by
everyone who has the labels, everything that follows from the counts by everyone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, ValidationError

from benchmark.errors import IntegrityError
from benchmark.files import read_text, write_json
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.sections import Section
from benchmark.protocol import Protocol
from benchmark.records import Record, UnitRecord, clip_sets, protocol_of, resampled_sets
from benchmark.registry import registry
from benchmark.scoring.comparison import Difference, difference_of_samples, joint_confusion, paired_differences
from benchmark.scoring.predictions import read_predictions
from benchmark.scoring.scores import Compute, FileModel, metric_functions

COMPARISONS = "comparisons.json"
LEVEL = 0.05
# Stored values are rounded to ten decimals, whose last one depends on the order in which a CPU adds.
TOLERANCE = 1e-9
# Enough to tell p from 5 %, and a thousand neighbours are compared again by every check.
RESAMPLES = 2_000

# Class name by clip id, of val and of test.
Labels = Mapping[str, Mapping[str, str]]


class UnitCounts(FileModel):
    """The test clips of a seed and fold that both records have: true class, both predicted classes, number of clips."""

    seed: int
    fold: int
    counts: tuple[tuple[int, int, int, int], ...]


class Comparison(FileModel):
    """The ranking metric of one entry minus that of the next one, with its 95 % interval and two-sided p.

    first, second: the entries' paths. units: the counts that it follows from; empty where nobody who published had the
    labels: then the clips are resampled independently, which separates less.
    """

    first: str
    second: str
    units: tuple[UnitCounts, ...]
    value: float = Field(ge=-1, le=1)
    low: float = Field(ge=-1, le=1)
    high: float = Field(ge=-1, le=1)
    p: float = Field(ge=0, le=1)

    @property
    def separated(self) -> bool:
        """Whether the difference is unlikely to be chance."""
        return self.p < LEVEL


class _File(FileModel):
    version: Literal[1] = 1
    comparisons: tuple[Comparison, ...] = ()


def neighbours(sections: Sequence[Section]) -> list[tuple[Entry, Entry]]:
    """Every two entries of which one is ranked directly below the other."""
    return [pair for section in sections for pair in pairwise(entry for _, entry in section.ranked)]


def compare_entries(folder: Path, first: Entry, second: Entry, labels: Labels | None) -> Comparison:
    """Compare two entries under one protocol; paired over the same clips if `labels` has them."""
    units = () if labels is None else _count(folder, first, second, labels["test"])
    difference = follow(first.record, second.record, units)
    return Comparison(
        first=str(first.path),
        second=str(second.path),
        units=units,
        value=difference.value,
        low=difference.low,
        high=difference.high,
        p=difference.p,
    )


def follow(first: Record, second: Record, units: Sequence[UnitCounts]) -> Difference:
    """The difference that follows from the counts, or, without any, from the two records' confusions."""
    protocol = protocol_of(first)
    compute = _ranking(protocol)
    if not units:
        samples = [_samples(record, compute, stream) for stream, record in enumerate((first, second))]
        return difference_of_samples(_mean(first, compute) - _mean(second, compute), samples[0] - samples[1])
    size = len(protocol.classes)
    numbers = dict(zip([unit.fold for unit in first.units], clip_sets(first.units), strict=True))
    sets: dict[int, list[np.ndarray]] = {}
    for unit in units:
        joint = np.zeros((size, size, size), dtype=np.int64)
        for true, one, other, clips in unit.counts:
            joint[true, one, other] = clips
        sets.setdefault(numbers[unit.fold], []).append(joint)
    stacked = [np.stack(joints) for joints in sets.values()]
    return paired_differences(stacked, {protocol.ranking: compute}, RESAMPLES)[protocol.ranking]


def check_comparison(comparison: Comparison, folder: Path, first: Entry, second: Entry, labels: Labels | None) -> None:
    """Verify one published comparison; IntegrityError, in one line, if it does not follow from the records."""
    where = f"{folder / COMPARISONS}: {comparison.first} and {comparison.second}"
    _check_counts(comparison.units, first.record, second.record, where)
    if labels is not None and comparison.units and comparison.units != _count(folder, first, second, labels["test"]):
        raise IntegrityError(f"{where}: the counts are not those of the predictions and labels")
    expected = follow(first.record, second.record, comparison.units)
    for key in ("value", "low", "high", "p"):
        if abs(getattr(comparison, key) - getattr(expected, key)) > TOLERANCE:
            raise IntegrityError(f"{where}: {key} is {getattr(comparison, key)}, recomputed {getattr(expected, key)}")


def read_comparisons(folder: Path) -> dict[tuple[str, str], Comparison]:
    """The published comparisons by the two entries' paths; none if there is no file."""
    path = folder / COMPARISONS
    if not path.is_file():
        return {}
    try:
        found = _File.model_validate_json(read_text(path, links=False)).comparisons
    except (ValidationError, OSError) as error:
        raise IntegrityError(f"{path}: is not a file of comparisons: {str(error).splitlines()[0]}") from error
    return {(comparison.first, comparison.second): comparison for comparison in found}


def write_comparisons(folder: Path, comparisons: Sequence[Comparison]) -> Path:
    """Write the comparisons, ordered by their entries."""
    ordered = sorted(comparisons, key=lambda comparison: (comparison.first, comparison.second))
    write_json(folder / COMPARISONS, _File(comparisons=tuple(ordered)).model_dump(mode="json"))
    return folder / COMPARISONS


def _shared(first: Record, second: Record) -> list[tuple[UnitRecord, UnitRecord]]:
    """The units of both records that have the same seed, fold and test clips."""
    others = {(unit.seed, unit.fold, unit.splits.test.sha256): unit for unit in second.units}
    keys = [(unit, (unit.seed, unit.fold, unit.splits.test.sha256)) for unit in first.units]
    return [(unit, others[key]) for unit, key in keys if key in others]


def _count(folder: Path, first: Entry, second: Entry, labels: Mapping[str, str]) -> tuple[UnitCounts, ...]:
    classes = protocol_of(first.record).classes
    index = {name: position for position, name in enumerate(classes)}
    result = []
    for one, other in _shared(first.record, second.record):
        predictions = [
            read_predictions(folder / entry.path / unit.predictions.test.path, classes)
            for entry, unit in ((first, one), (second, other))
        ]
        # Both files are sorted by clip id, and hold the same clips.
        true = [index[labels[clip_id]] for clip_id in predictions[0].ids]
        joint = joint_confusion(true, predictions[0].predicted, predictions[1].predicted, len(classes))
        cells = [(int(t), int(i), int(j), int(joint[t, i, j])) for t, i, j in np.argwhere(joint)]
        result.append(UnitCounts(seed=one.seed, fold=one.fold, counts=tuple(cells)))
    return tuple(result)


def _check_counts(units: Sequence[UnitCounts], first: Record, second: Record, where: str) -> None:
    """The margins of the counts are the confusions that both records state."""
    shared = {(one.seed, one.fold): (one, other) for one, other in _shared(first, second)}
    if units and {(unit.seed, unit.fold) for unit in units} != set(shared):
        raise IntegrityError(f"{where}: the counts are not of the units that both records have")
    for unit in units:
        for place, record in zip((1, 2), shared[unit.seed, unit.fold], strict=True):
            confusion = np.array(record.scores.test.confusion)
            margin = np.zeros_like(confusion)
            for cell in unit.counts:
                if min(cell) < 0 or max(cell[:3]) >= len(confusion):
                    raise IntegrityError(f"{where}: seed {unit.seed}, fold {unit.fold}: no such class: {cell}")
                margin[cell[0], cell[place]] += cell[3]
            if (margin != confusion).any():
                raise IntegrityError(f"{where}: seed {unit.seed}, fold {unit.fold}: the counts contradict a confusion")


def _ranking(protocol: Protocol) -> Compute:
    return metric_functions(protocol, tuple(registry().metrics.values()))[protocol.ranking]


def _mean(record: Record, compute: Compute) -> float:
    return float(np.mean(compute(np.array([unit.scores.test.confusion for unit in record.units]))))


def _samples(record: Record, compute: Compute, stream: int) -> np.ndarray:
    """Bootstrap samples of a record's mean; another `stream` is drawn independently, even for equal confusions."""
    confusions = np.array([unit.scores.test.confusion for unit in record.units], dtype=np.int64)
    drawn = resampled_sets(clip_sets(record.units), confusions, RESAMPLES, first_stream=1000 * stream)
    return np.asarray(sum(weight * compute(confusion) for weight, confusion in drawn))
