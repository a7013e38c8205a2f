"""What the leaderboard's pages show, whatever they are written in: for each protocol its ranked and its other rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from benchmark.leaderboard.columns import (
    Column,
    cost_columns,
    name_columns,
    recall_columns,
    run_columns,
    score_columns,
    summary_of,
)
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.reported import ReportedTable
from benchmark.leaderboard.ties import Ranks
from benchmark.protocol import Protocol
from benchmark.protocol.facts import known_facts
from benchmark.records import Record, protocol_of

LACKING = "Without the weights that the method rests on"
KNOWN = "Every ranked row has the clips of the official lists: their number, that of each class, and their ids."
RANKS = (
    "A rank is the range of places that the data leave open: 1-3 means that no row is better and that all but two are "
    "worse, each at p < 5 %, so that two may lie above it."
)
UNKNOWN = (
    "Nothing is known here of this protocol's official lists: whether a row's clips are the dataset's own, and real, "
    "only its level can say."
)


@dataclass(frozen=True)
class Section:
    """The entries of one version of one protocol, the best first.

    protocol: an eligible record's definition, for others may have changed theirs.
    columns: groups of columns by what they are about; the first of `scores` is the ranking metric.
    ranked: the places that an entry may have, as `2` or `1-3`, and the entry.
    lacking: the same, for those that did without the weights their methods rest on; they are ranked on their own.
    others: why an entry has no rank, as plain texts, and the entry.
    facts: whether records are held against the official lists, in words; empty on synthetic data, and where nobody
        has verified them.
    """

    protocol: Protocol
    columns: Mapping[str, Sequence[Column]]
    ranked: Sequence[tuple[str, Entry]]
    lacking: Sequence[tuple[str, Entry]]
    others: Sequence[tuple[list[str], Entry]]
    facts: str

    @property
    def entries(self) -> list[Entry]:
        """All of them, in the order of the tables."""
        return [entry for _, entry in (*self.ranked, *self.lacking, *self.others)]


def sections(
    entries: Sequence[Entry],
    titles: Mapping[str, str],
    ranks: Ranks,
    reported: Sequence[ReportedTable] = (),
) -> list[Section]:
    """One section per protocol and version, by name, the newest version first; the order of `entries` is irrelevant.

    titles: metric titles by name. ranks: the best and the worst place of each ranked entry, by path. reported: tables
    of the literature, to show the distance of a run's score to the one that its paper prints.
    """
    ordered = sorted(entries, key=lambda entry: (*_protocol_key(entry), entry.path))
    return [_section(list(group), titles, ranks, reported) for _, group in groupby(ordered, key=_protocol_key)]


def definition(records: Sequence[Record]) -> Protocol:
    """The protocol that gives a table of at least one record its columns."""
    return protocol_of(next((record for record in records if record.eligible), records[0]))


def ranking_score(record: Record, protocol: Protocol) -> float:
    """The mean of the protocol's ranking metric in 0..1; -1 for a record that has none."""
    summary = summary_of(record, protocol.ranking)
    return summary.mean if summary else -1.0


def _protocol_key(entry: Entry) -> tuple[str, int]:
    return entry.record.protocol.name, -entry.record.protocol.version


def _section(
    entries: Sequence[Entry],
    titles: Mapping[str, str],
    ranks: Ranks,
    reported: Sequence[ReportedTable],
) -> Section:
    protocol = definition([entry.record for entry in entries])
    ordered = sorted(entries, key=lambda entry: (-ranking_score(entry.record, protocol), entry.path))
    eligible = [entry for entry in ordered if entry.record.eligible]
    return Section(
        protocol=protocol,
        columns={
            "what ran": name_columns(),
            "scores": score_columns(protocol, titles, reported),
            "recall": recall_columns(protocol),
            "model": cost_columns(),
            "run": run_columns(),
        },
        ranked=[(_places(*ranks[str(entry.path)]), entry) for entry in eligible if not entry.record.lacks],
        lacking=[(_places(*ranks[str(entry.path)]), entry) for entry in eligible if entry.record.lacks],
        others=[(not_ranked_because(entry.record), entry) for entry in ordered if not entry.record.eligible],
        facts=_facts(protocol, entries),
    )


def _facts(protocol: Protocol, entries: Sequence[Entry]) -> str:
    if any(entry.level is None or entry.record.data.synthetic for entry in entries):
        return ""
    return KNOWN if any("test" in splits for splits in known_facts(protocol).values()) else UNKNOWN


def _places(best: int, worst: int) -> str:
    return str(best) if best == worst else f"{best}-{worst}"


def not_ranked_because(record: Record) -> list[str]:
    """Why a record that is not eligible has no rank, as plain texts."""
    reasons = [f"unofficial: {reason}" for reason in record.marks.unofficial]
    reasons += [f"incomplete: {reason}" for reason in record.marks.incomplete]
    reasons += [f"initial weights: {reason}" for reason in record.marks.seen]
    return reasons or ["checkpoints not selected on val"]
