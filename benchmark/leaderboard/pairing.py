"""Rivals compared over the same clips: how uncertain the difference of two is, and what it can be."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from benchmark.errors import IntegrityError
from benchmark.leaderboard.comparisons import COMPARISONS, Comparisons, Row
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.rivals import Labels, Rivals, clip_hashes
from benchmark.protocol import Protocol
from benchmark.records import Record
from benchmark.scoring.clipsets import ClipSet, spread_over_clips, spread_over_seeds
from benchmark.scoring.comparison import Answers, Moved, moved_by_clips, moved_by_clusters, paired_spread
from benchmark.scoring.intervals import Spread
from benchmark.scoring.predictions import read_predictions
from benchmark.scoring.scores import answered

# Standard errors are stored with nine decimals, degrees of freedom with three; the last depends on a CPU's order.
DECIMALS, FREEDOM_DECIMALS = 9, 3
TOLERANCE, FREEDOM_TOLERANCE = 2e-9, 2e-3


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
        return moved_by_clips(answers, rivals.compute, len(rivals.protocol.answer_names))


def _answers(folder: Path, entry: Entry, protocol: Protocol, labels: Mapping[str, str]) -> list[Answers]:
    index = {name: position for position, name in enumerate(protocol.answer_names)}
    result = []
    for sha256 in clip_hashes(entry.record):
        units = [unit for unit in entry.record.units if unit.splits.test.sha256 == sha256]
        # All files are sorted by clip id, and hold the same clips.
        files = [folder / entry.path / unit.predictions.test.path for unit in units]
        predictions = [
            answered(read_predictions(file, protocol.classes), protocol, unit.scores.test.thresholds)
            for file, unit in zip(files, units, strict=True)
        ]
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


def _stored(spread: Spread) -> tuple[float, float]:
    freedom = max(round(spread.freedom, FREEDOM_DECIMALS), 1.0)
    return round(min(math.sqrt(spread.variance), 1.0), DECIMALS), freedom


def _where(folder: Path, rivals: Rivals, first: int, second: int) -> str:
    return f"{folder / COMPARISONS}: {rivals.paths[first]} and {rivals.paths[second]}"
