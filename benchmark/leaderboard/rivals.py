"""The entries that are ranked against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from benchmark.leaderboard.entry import Entry
from benchmark.plugin_functions import ScoreConfusion
from benchmark.protocol import Protocol
from benchmark.records import Record, clip_sets, protocol_of
from benchmark.registry import registry
from benchmark.scoring.clipsets import ClipSet
from benchmark.scoring.scores import metric_functions

# Class name by clip id, of val and of test; under `clusters` what each belongs to.
Labels = Mapping[str, Mapping[str, str]]


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
        return tuple(clip_hashes(entry.record) for entry in self.entries)

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


def clip_hashes(record: Record) -> tuple[str, ...]:
    """The hashes of a record's sets of test clips, in the order of `clip_sets`."""
    tested = {unit.fold: unit.splits.test.sha256 for unit in record.units}
    return tuple(dict.fromkeys(tested[fold] for fold in sorted(tested)))


def _score(record: Record, protocol: Protocol) -> float:
    assert record.aggregates is not None
    return record.aggregates.metrics[protocol.ranking].mean
