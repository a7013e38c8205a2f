"""Rank intervals: which places of a ranking a row may have, as far as the data can tell.

Every two rows of a ranking are compared over the same test clips. What is published of a pair is how uncertain its
difference is, two numbers, and not what each clip was taken for: joint counts of many pairs would give the labels of
gated datasets away. Where clips share a video, subject or source these numbers follow from the records, and everyone
recomputes them. Elsewhere who has the labels does; everyone else sees that they are possible.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import ValidationError, model_validator

from benchmark.errors import IntegrityError
from benchmark.failures import one_line
from benchmark.files import read_text, write_text
from benchmark.leaderboard.entry import Entry
from benchmark.plugin_functions import ScoreConfusion
from benchmark.protocol import Protocol
from benchmark.records import Record, clip_sets, protocol_of
from benchmark.registry import registry
from benchmark.scoring.clipsets import ClipSet, spread_of_mean, spread_over_clips, spread_over_seeds
from benchmark.scoring.comparison import (
    Answers,
    Difference,
    Moved,
    difference,
    moved_by_clips,
    moved_by_clusters,
    paired_spread,
)
from benchmark.scoring.intervals import Spread
from benchmark.scoring.predictions import read_predictions
from benchmark.scoring.ranking import rank_intervals
from benchmark.scoring.scores import FileModel, metric_functions
from benchmark.validation import problem_of

COMPARISONS = "comparisons.json"
# Standard errors are stored with nine decimals, degrees of freedom with three; the last depends on a CPU's order.
DECIMALS, FREEDOM_DECIMALS = 9, 3
TOLERANCE, FREEDOM_TOLERANCE = 2e-9, 2e-3

# Class name by clip id, of val and of test; under `clusters` what each belongs to.
Labels = Mapping[str, Mapping[str, str]]
# The best and the worst place that an entry may have, by its path.
Ranks = Mapping[str, tuple[int, int]]
# The ranking score of an entry minus that of another, by their paths.
Verdicts = Mapping[str, Mapping[str, Difference]]


class Row(FileModel):
    """An entry's comparisons with the entries of all rows above this one.

    errors: standard errors of the differences, None where nobody who published had the labels: then the clips of the
    two are taken as independent, which separates less. freedoms: the errors' degrees of freedom.
    """

    entry: str
    errors: tuple[float | None, ...]
    freedoms: tuple[float | None, ...]


class Comparisons(FileModel):
    """Every two entries of one ranking, ordered by path."""

    rows: tuple[Row, ...]

    @model_validator(mode="after")
    def _triangle(self) -> Comparisons:
        for number, row in enumerate(self.rows):
            if len(row.errors) != number or len(row.freedoms) != number:
                raise ValueError(f"{row.entry}: expected {number} errors and freedoms")
            for error, freedom in zip(row.errors, row.freedoms, strict=True):
                if (error is None) != (freedom is None) or (error is not None and not 0 <= error <= 1):
                    raise ValueError(f"{row.entry}: an error must lie in 0..1 and have its degrees of freedom")
                if freedom is not None and not 1 <= freedom <= 1e9:
                    raise ValueError(f"{row.entry}: degrees of freedom must lie in 1..1e9")
        return self

    @property
    def entries(self) -> tuple[str, ...]:
        """The entries' paths."""
        return tuple(row.entry for row in self.rows)

    def pairs(self) -> dict[tuple[str, str], tuple[float, float]]:
        """Error and degrees of freedom of every two entries that are paired, the first entry's path being smaller."""
        names = self.entries
        return {
            (names[other], row.entry): (error, freedom)
            for row in self.rows
            for other, (error, freedom) in enumerate(zip(row.errors, row.freedoms, strict=True))
            if error is not None and freedom is not None
        }


class _File(FileModel):
    version: Literal[2] = 2
    rankings: tuple[Comparisons, ...] = ()


@dataclass(frozen=True)
class Rivals:
    """The entries of one ranking, ordered by path."""

    entries: tuple[Entry, ...]

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """The entries' paths."""
        return tuple(str(entry.path) for entry in self.entries)

    @cached_property
    def protocol(self) -> Protocol:
        """What they were run under."""
        return protocol_of(self.entries[0].record)

    @cached_property
    def compute(self) -> ScoreConfusion:
        """The ranking metric."""
        return metric_functions(self.protocol, tuple(registry().metrics.values()))[self.protocol.ranking]

    @cached_property
    def tested(self) -> tuple[list[ClipSet], ...]:
        """Each entry's sets of test clips."""
        return tuple(clip_sets(entry.record.units) for entry in self.entries)

    @cached_property
    def hashes(self) -> tuple[tuple[str, ...], ...]:
        """The hash of each of these sets."""
        return tuple(_hashes(entry.record) for entry in self.entries)

    @cached_property
    def scores(self) -> np.ndarray:
        """Each entry's mean ranking score, (M,)."""
        return np.array([_score(entry.record, self.protocol) for entry in self.entries])


def rankings(entries: Sequence[Entry]) -> list[Rivals]:
    """The rankings that the pages show: real and synthetic rows apart, each version of a protocol on its own.

    Rows that did without the weights that their methods rest on have a ranking of their own.
    """
    groups: dict[tuple[bool, str, int, bool], list[Entry]] = {}
    for entry in sorted(entries, key=lambda entry: str(entry.path)):
        record = entry.record
        if record.eligible:
            key = (record.marks.synthetic, record.protocol.name, record.protocol.version, bool(record.lacks))
            groups.setdefault(key, []).append(entry)
    return [Rivals(tuple(groups[key])) for key in sorted(groups)]


def compare_rivals(
    folder: Path,
    rivals: Rivals,
    labels_of: Callable[[Record], Labels | None] | None,
    known: Comparisons | None = None,
) -> Comparisons:
    """Compare every two rivals, those of `known` left as they are unless they were not paired."""
    labels = {str(entry.path): labels_of(entry.record) if labels_of else None for entry in rivals.entries}
    moved = _Moving(folder, rivals, labels)
    before = known.pairs() if known else {}
    rows = []
    for number, path in enumerate(rivals.paths):
        found: list[tuple[float, float] | None] = []
        for other in range(number):
            found.append(before.get((rivals.paths[other], path)) or moved.compare(other, number))
        rows.append(
            Row(
                entry=path,
                errors=tuple(pair[0] if pair else None for pair in found),
                freedoms=tuple(pair[1] if pair else None for pair in found),
            )
        )
    return Comparisons(rows=tuple(rows))


def places(rivals: Rivals, comparisons: Comparisons) -> dict[str, tuple[int, int]]:
    """The best and the worst place that each rival may have, see `rank_intervals`."""
    errors, freedoms, _ = _errors(rivals, comparisons)
    return dict(zip(rivals.paths, rank_intervals(rivals.scores, errors, freedoms), strict=True))


def difference_of(rivals: Rivals, comparisons: Comparisons, first: str, second: str) -> tuple[Difference, bool]:
    """The ranking score of one rival minus that of another, and whether it is over the same clips."""
    errors, freedoms, paired = _errors(rivals, comparisons)
    one, other = rivals.paths.index(first), rivals.paths.index(second)
    return _difference(rivals, errors, freedoms, one, other), bool(paired[one, other])


def verdicts_of(rivals: Rivals, comparisons: Comparisons) -> dict[str, dict[str, Difference]]:
    """Every rival compared with every other one, see `difference_of`."""
    errors, freedoms, _ = _errors(rivals, comparisons)
    return {
        path: {
            other: _difference(rivals, errors, freedoms, one, two)
            for two, other in enumerate(rivals.paths)
            if two != one
        }
        for one, path in enumerate(rivals.paths)
    }


def _difference(rivals: Rivals, errors: np.ndarray, freedoms: np.ndarray, one: int, other: int) -> Difference:
    units = sum(len(found.confusions) for found in (*rivals.tested[one], *rivals.tested[other]))
    spread = Spread(float(errors[one, other] ** 2), 0.0, float(freedoms[one, other]), units)
    return difference(float(rivals.scores[one]), float(rivals.scores[other]), spread)


def _errors(rivals: Rivals, comparisons: Comparisons) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Standard error and degrees of freedom of every difference, and whether it is over the same clips; each (M, M)."""
    alone = [spread_of_mean(rivals.compute, tested) for tested in rivals.tested]
    variance = np.array([spread.variance for spread in alone])
    doubt = np.array([spread.variance**2 / spread.freedom for spread in alone])
    with np.errstate(divide="ignore", invalid="ignore"):
        errors = np.sqrt(variance[:, None] + variance[None])
        freedoms = np.nan_to_num(errors**4 / (doubt[:, None] + doubt[None]), nan=1.0)
    paired = np.zeros(errors.shape, bool)
    for number, row in enumerate(comparisons.rows):
        for other, (error, freedom) in enumerate(zip(row.errors, row.freedoms, strict=True)):
            if error is not None and freedom is not None:
                errors[number, other] = errors[other, number] = error
                freedoms[number, other] = freedoms[other, number] = freedom
                paired[number, other] = paired[other, number] = True
    return errors, freedoms, paired


def check_comparisons(
    comparisons: Comparisons, folder: Path, rivals: Rivals, labels: Mapping[str, Labels | None]
) -> None:
    """Verify the comparisons of one ranking; IntegrityError, in one line, if they do not follow from the records.

    labels: by entry, where they are at hand.
    """
    moved = _Moving(folder, rivals, labels)
    lowest, highest, most = _possible(rivals)
    for number, row in enumerate(comparisons.rows):
        for other, (error, freedom) in enumerate(zip(row.errors, row.freedoms, strict=True)):
            if error is None or freedom is None:
                if rivals.protocol.clustered_by and moved.compare(other, number):
                    raise IntegrityError(f"{_where(folder, rivals, other, number)}: are not compared")
                continue
            where = _where(folder, rivals, other, number)
            if not lowest[number, other] - TOLERANCE <= error <= highest[number, other] + TOLERANCE:
                raise IntegrityError(
                    f"{where}: error is {error}, but the two records allow {lowest[number, other]:.{DECIMALS}f} to "
                    f"{highest[number, other]:.{DECIMALS}f}"
                )
            if freedom > most[number, other] + FREEDOM_TOLERANCE:
                raise IntegrityError(f"{where}: freedom is {freedom}, more than the records have clips or clusters")
            found = moved.compare(other, number)
            if found is None:
                continue
            for key, stored, expected, tolerance in (
                ("error", error, found[0], TOLERANCE),
                ("freedom", freedom, found[1], FREEDOM_TOLERANCE),
            ):
                if abs(stored - expected) > tolerance:
                    raise IntegrityError(f"{where}: {key} is {stored}, recomputed {expected}")


def read_comparisons(folder: Path) -> tuple[Comparisons, ...]:
    """The published comparisons, one for each ranking; none if there is no file."""
    path = folder / COMPARISONS
    if not path.is_file():
        return ()
    try:
        return parse_comparisons(read_text(path, links=False), str(path))
    except OSError as error:
        raise IntegrityError(f"{path}: is not a file of comparisons: {one_line(error)}") from error


def parse_comparisons(text: str, name: str) -> tuple[Comparisons, ...]:
    """The comparisons in the text of a file called `name`; IntegrityError if it is no such file."""
    try:
        return _File.model_validate_json(text).rankings
    except ValidationError as error:
        raise IntegrityError(problem_of(error, f"{name}: is not a file of comparisons")) from error


def write_comparisons(folder: Path, comparisons: Iterable[Comparisons]) -> Path:
    """Write the comparisons, one line for each entry."""
    rankings = [
        '{"rows": [\n' + ",\n".join(json.dumps(row.model_dump(mode="json")) for row in one.rows) + "\n]}"
        for one in sorted(comparisons, key=lambda one: one.entries)
    ]
    text = '{"version": 2, "rankings": [\n' + ",\n".join(rankings) + "\n]}\n"
    write_text(folder / COMPARISONS, text)
    return folder / COMPARISONS


class _Moving:
    """What leaving out each clip or cluster does to each rival's score, computed when it is asked for."""

    def __init__(self, folder: Path, rivals: Rivals, labels: Mapping[str, Labels | None]) -> None:
        self.folder, self.rivals, self.labels = folder, rivals, labels
        self.known: dict[int, Moved | None] = {}

    def compare(self, first: int, second: int) -> tuple[float, float] | None:
        """Error and degrees of freedom of two rivals' difference; None where it cannot be paired over clips."""
        if self.rivals.hashes[first] != self.rivals.hashes[second]:
            return None
        one, other = self._moved(first), self._moved(second)
        if one is None or other is None:
            return None
        if self.rivals.protocol.clustered_by:
            for mine, theirs in zip(self.rivals.tested[first], self.rivals.tested[second], strict=True):
                if not _same_clusters(mine, theirs):
                    where = _where(self.folder, self.rivals, first, second)
                    raise IntegrityError(f"{where}: have different clusters of the same test clips")
        spread = paired_spread(one, other)
        if not math.isfinite(spread.variance):
            return None
        return _stored(spread)

    def _moved(self, number: int) -> Moved | None:
        if number not in self.known:
            self.known[number] = self._move(number)
        return self.known[number]

    def _move(self, number: int) -> Moved | None:
        rivals, entry = self.rivals, self.rivals.entries[number]
        if rivals.protocol.clustered_by:
            return moved_by_clusters(rivals.tested[number], rivals.compute)
        labels = self.labels[str(entry.path)]
        if labels is None:
            return None
        answers = _answers(self.folder, entry, rivals.protocol, labels["test"])
        return moved_by_clips(answers, rivals.compute, len(rivals.protocol.classes))


def _answers(folder: Path, entry: Entry, protocol: Protocol, labels: Mapping[str, str]) -> list[Answers]:
    index = {name: position for position, name in enumerate(protocol.classes)}
    result = []
    for sha256 in _hashes(entry.record):
        units = [unit for unit in entry.record.units if unit.splits.test.sha256 == sha256]
        # All files are sorted by clip id, and hold the same clips.
        files = [folder / entry.path / unit.predictions.test.path for unit in units]
        predictions = [read_predictions(file, protocol.classes) for file in files]
        result.append(
            Answers(
                true=np.array([index[labels[clip_id]] for clip_id in predictions[0].ids], dtype=np.int64),
                predicted=np.stack([each.predicted for each in predictions]),
                folds=tuple(unit.fold for unit in units),
            )
        )
    return result


def _possible(rivals: Rivals) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The least and the largest error (M, M) that two rivals' differences can have, and the most degrees of freedom.

    On each set of clips the two move together or against each other at most: between the difference of their own
    standard errors and the sum of these. Of several seeds only the largest own error is known.
    """
    size = len(rivals.entries)
    lowest, highest, most = np.zeros((size, size)), np.zeros((size, size)), np.zeros((size, size))
    sets = max(map(len, rivals.tested))
    for number in range(sets):
        own = [tested[number] if number < len(tested) else None for tested in rivals.tested]
        spreads = [spread_over_clips(rivals.compute, one) if one else Spread(math.inf, 0.0, 1.0, 1) for one in own]
        large = np.array([math.sqrt(spread.variance) for spread in spreads])
        single = np.array([one is not None and (one.clusters is not None or len(one.folds) == 1) for one in own])
        small = np.where(single, large, 0.0)
        folds = np.array([len(set(one.folds)) if one else 0 for one in own])
        share = folds / np.array([len({fold for one in tested for fold in one.folds}) for tested in rivals.tested])
        with np.errstate(invalid="ignore"):
            gap = np.maximum(small[:, None] - large[None], small[None] - large[:, None])
        lowest += (share[:, None] * np.maximum(np.nan_to_num(gap), 0)) ** 2
        highest += (share[:, None] * (large[:, None] + large[None])) ** 2
        most += max(spread.units for spread in spreads)
    seeds = [spread_over_seeds(rivals.compute, tested) for tested in rivals.tested]
    several = np.array([spread is not None for spread in seeds])
    own_seeds = np.array([spread.variance if spread else 0.0 for spread in seeds])
    freedom = np.array([spread.freedom if spread else 0.0 for spread in seeds])
    pairs = several[:, None] & several[None]
    added = np.where(pairs, own_seeds[:, None] + own_seeds[None], 0.0)
    most += np.where(pairs, freedom[:, None] + freedom[None], 0.0)
    return np.sqrt(lowest + added), np.sqrt(highest + added), most


def _same_clusters(first: ClipSet, second: ClipSet) -> bool:
    """Whether two rivals have equally many clips of each class in each cluster."""
    if first.clusters is None or second.clusters is None:
        return False
    one, other = first.clusters[0].sum(axis=2), second.clusters[0].sum(axis=2)
    return one.shape == other.shape and not (one != other).any()


def _hashes(record: Record) -> tuple[str, ...]:
    """The hashes of a record's sets of test clips, in the order of `clip_sets`."""
    tested = {unit.fold: unit.splits.test.sha256 for unit in record.units}
    return tuple(dict.fromkeys(tested[fold] for fold in sorted(tested)))


def _score(record: Record, protocol: Protocol) -> float:
    assert record.aggregates is not None
    return record.aggregates.metrics[protocol.ranking].mean


def _stored(spread: Spread) -> tuple[float, float]:
    freedom = max(round(spread.freedom, FREEDOM_DECIMALS), 1.0)
    return round(min(math.sqrt(spread.variance), 1.0), DECIMALS), freedom


def _where(folder: Path, rivals: Rivals, first: int, second: int) -> str:
    return f"{folder / COMPARISONS}: {rivals.paths[first]} and {rivals.paths[second]}"
