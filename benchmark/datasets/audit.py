"""Looking for clips that show the same, across the parts of a fold (a leak) and across datasets."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.datasets.inspection import inspect_clips
from benchmark.datasets.similarity import KIND, hash_clip, near_pairs, tells_enough
from benchmark.errors import IntegrityError, UsageError
from benchmark.specs import ReportProgress

MOST_PAIRS = 200_000


@dataclass(frozen=True)
class Side:
    """A clip of a pair. division: what its folds belong to, a dataset's official lists or a protocol."""

    dataset: str
    clip: str
    label: str
    parts: Mapping[int, str]
    division: str


@dataclass(frozen=True)
class Candidate:
    """A clip to be compared: what is told of it in a pair, and its path relative to its dataset's root.

    groups: its values of the attributes that no fold may divide, see `benchmark.datasets.crossings`.
    """

    side: Side
    root: Path
    path: str
    groups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Pair:
    """Two clips with the same content: the same bytes, or frames that look alike.

    distance: bits of 64 in which the perceptual hashes differ, averaged over frames; 0 for the same bytes.
    leaks: the folds that have the two clips in different parts.
    """

    first: Side
    second: Side
    exact: bool
    distance: float
    leaks: tuple[int, ...]

    @property
    def across_datasets(self) -> bool:
        """Whether the two clips belong to different datasets."""
        return self.first.dataset != self.second.dataset


@dataclass(frozen=True)
class Audit:
    """What was found.

    uniform: clips whose frames are nearly of one colour, so that only their bytes were compared.
    unreadable: the fault of each clip that could not be compared at all, by dataset and clip.
    """

    clips: int
    threshold: float
    pairs: tuple[Pair, ...]
    uniform: int
    unreadable: Mapping[str, Mapping[str, str]]

    @property
    def leaks(self) -> tuple[Pair, ...]:
        """The pairs that some fold divides."""
        return tuple(pair for pair in self.pairs if pair.leaks)


# Shows one countable job, as `benchmark.cli.progress.counting` does.
ShowProgress = Callable[[str], AbstractContextManager[ReportProgress]]


def audit(candidates: Sequence[Candidate], threshold: float, workers: int, show: ShowProgress) -> Audit:
    """Hash every clip and compare each with each; leaks come first, then pairs across datasets, nearest first."""
    groups: dict[tuple[str, Path], list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        groups[candidate.side.dataset, candidate.root].append(candidate)
    readable: list[Side] = []
    digests: list[str] = []
    hashes: list[Sequence[str | None]] = []
    unreadable: dict[str, dict[str, str]] = defaultdict(dict)
    for (dataset, root), members in groups.items():
        with show(f"hashing {dataset}") as report:
            findings = inspect_clips(root, [member.path for member in members], hash_clip, KIND, workers, report)
        for member in members:
            finding = findings[member.path]
            if finding.fault is not None:
                unreadable[dataset][member.side.clip] = finding.fault
                continue
            readable.append(member.side)
            digests.append(finding.value["sha256"])
            hashes.append(finding.value["frames"])
    exact = _same_bytes(digests)
    with show("comparing clips") as report:
        near = near_pairs(hashes, threshold, MOST_PAIRS, report)
    if len(near) > MOST_PAIRS:
        raise UsageError(f"more than {MOST_PAIRS:,} pairs differ by {threshold:g} bits or fewer; lower --threshold")
    found = {**near, **dict.fromkeys(exact, 0.0)}
    pairs = [_pair(readable[i], readable[j], (i, j) in exact, distance) for (i, j), distance in found.items()]
    pairs.sort(key=_order)
    uniform = sum(not tells_enough(frames) for frames in hashes)
    return Audit(len(candidates), threshold, tuple(pairs), uniform, dict(unreadable))


def _same_bytes(digests: Sequence[str]) -> set[tuple[int, int]]:
    where: dict[str, list[int]] = defaultdict(list)
    for index, digest in enumerate(digests):
        where[digest].append(index)
    if sum(len(indices) * (len(indices) - 1) // 2 for indices in where.values()) > MOST_PAIRS:
        raise IntegrityError(
            f"more than {MOST_PAIRS:,} pairs of clips hold the same bytes: most of the dataset is one file, copied; "
            "unpack it again"
        )
    return {pair for indices in where.values() for pair in itertools.combinations(indices, 2)}


def _pair(first: Side, second: Side, exact: bool, distance: float) -> Pair:
    folds = sorted(set(first.parts) & set(second.parts)) if first.division == second.division else []
    leaks = tuple(fold for fold in folds if first.parts[fold] != second.parts[fold])
    return Pair(first, second, exact, distance, leaks)


def _order(pair: Pair) -> tuple[object, ...]:
    sides = (pair.first.dataset, pair.first.clip, pair.second.dataset, pair.second.clip)
    return (not pair.leaks, not pair.across_datasets, not pair.exact, pair.distance, *sides)
