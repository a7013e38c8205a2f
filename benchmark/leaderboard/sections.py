"""What the leaderboard's pages show, whatever they are written in: for each protocol its ranked and its other rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from benchmark.leaderboard.cells import (
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
from benchmark.protocol import Protocol
from benchmark.protocol.facts import known_facts
from benchmark.records import Record, protocol_of

KNOWN = "Every ranked row has the clips of the official lists: their number, that of each class, and their ids."
UNKNOWN = (
    "Nothing is known here of this protocol's official lists: whether a row's clips are the dataset's own, and real, "
    "only its level can say."
)


@dataclass(frozen=True)
class Section:
    """The entries of one version of one protocol, the best first.

    protocol: an eligible record's definition, for others may have changed theirs.
    columns: groups of columns by what they are about; the first of `scores` is the ranking metric.
    ranked: rank and entry; neighbours that are tied share a rank, and the next one is counted on: 1, 1, 3.
    others: why an entry has no rank, as plain texts, and the entry.
    facts: whether records are held against the official lists, in words; empty on synthetic data, and where nobody
        has verified them.
    """

    protocol: Protocol
    columns: Mapping[str, Sequence[Column]]
    ranked: Sequence[tuple[int, Entry]]
    others: Sequence[tuple[list[str], Entry]]
    facts: str


def never(first: Entry, second: Entry) -> bool:
    """No two entries are tied, unless they have the same score."""
    return False


def sections(
    entries: Sequence[Entry],
    titles: Mapping[str, str],
    tied: Callable[[Entry, Entry], bool] = never,
    reported: Sequence[ReportedTable] = (),
) -> list[Section]:
    """One section per protocol and version, by name, the newest version first; the order of `entries` is irrelevant.

    titles: metric titles by name. tied: whether the data can't separate two neighbours of the ranking. reported: tables
    of the literature, to show the distance of a run's score to the one that its paper prints.
    """
    ordered = sorted(entries, key=lambda entry: (*_protocol_key(entry), entry.path))
    return [_section(list(group), titles, tied, reported) for _, group in groupby(ordered, key=_protocol_key)]


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
    tied: Callable[[Entry, Entry], bool],
    reported: Sequence[ReportedTable],
) -> Section:
    protocol = definition([entry.record for entry in entries])
    ordered = sorted(entries, key=lambda entry: (-ranking_score(entry.record, protocol), entry.path))
    ranked = [entry for entry in ordered if entry.record.eligible]
    scores = {entry.path: ranking_score(entry.record, protocol) for entry in ranked}
    ranks = [1]
    for position, (first, second) in enumerate(pairwise(ranked), start=2):
        same = scores[first.path] == scores[second.path] or tied(first, second)
        ranks.append(ranks[-1] if same else position)
    return Section(
        protocol=protocol,
        columns={
            "what ran": name_columns(),
            "scores": score_columns(protocol, titles, reported),
            "recall": recall_columns(protocol),
            "model": cost_columns(),
            "run": run_columns(),
        },
        ranked=list(zip(ranks, ranked, strict=False)),
        others=[(_why_not(entry.record), entry) for entry in ordered if not entry.record.eligible],
        facts=_facts(protocol, entries),
    )


def _facts(protocol: Protocol, entries: Sequence[Entry]) -> str:
    if any(entry.level is None or entry.record.data.synthetic for entry in entries):
        return ""
    return KNOWN if any("test" in splits for splits in known_facts(protocol).values()) else UNKNOWN


def _why_not(record: Record) -> list[str]:
    reasons = [f"unofficial: {reason}" for reason in record.marks.unofficial]
    reasons += [f"incomplete: {reason}" for reason in record.marks.incomplete]
    return reasons or ["checkpoints not selected on val"]
