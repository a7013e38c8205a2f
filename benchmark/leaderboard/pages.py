"""The leaderboard's pages: one ranked table per protocol, and below it what can't be ranked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import PurePosixPath
from urllib.parse import quote

from benchmark.leaderboard.cells import (
    Column,
    cost_columns,
    name_columns,
    recall_columns,
    run_columns,
    score_columns,
    summary_of,
)
from benchmark.leaderboard.markdown import escape, render_table
from benchmark.protocol import Protocol
from benchmark.records import Record, protocol_of

REAL = """\
# Leaderboard

Every ranked row was run by this benchmark under one fixed protocol, its checkpoints selected on validation data, and
every number can be recomputed from the predictions beside its record. Rows on synthetic data are on
[a page of their own](SYNTHETIC.md).
"""
SYNTHETIC = """\
# Synthetic data

**These numbers say nothing about real faces.** They come from generated clips, and show only that the benchmark runs
from end to end. Results on real data are on [the leaderboard](README.md).
"""
LEGEND = """\
All scores are percent on test clips: the mean over units (every seed and fold), in brackets its 95 % interval
(bootstrap of the test clips within class, fold by fold), after it the standard deviation over units. "pooled" is the
score of all units' predictions taken together; grouped scores count a prediction right when it falls in the label's
group. A difference between rows whose intervals overlap may be chance. Neighbouring frames of a video look alike, so
that intervals of frame-wise protocols are too narrow. Labels of gated datasets are not published:
`benchmark leaderboard check` verifies hashes, clip ids, predicted classes and all arithmetic without them.
"""
GENERATED = "<!-- Written by `benchmark leaderboard build`; edits will be lost. -->\n"
EMPTY = """\
No results yet. To publish one:

1. `benchmark run --protocol <protocol> --method <method> --data-root <folder>` runs all folds and leaves a record.
2. `benchmark leaderboard add <run>` verifies it and copies it, with its predictions, into `records/`.
3. `benchmark leaderboard build` renders this page; `benchmark leaderboard check` is what a pull request must pass.
"""


@dataclass(frozen=True)
class Entry:
    """A record that was accepted; `path` is its folder, relative to the leaderboard's."""

    path: PurePosixPath
    record: Record


def render_page(entries: Sequence[Entry], titles: Mapping[str, str], synthetic: bool) -> str:
    """The page as markdown; the same entries in any order give the same text.

    titles: metric titles by name.
    """
    parts = [GENERATED, SYNTHETIC if synthetic else REAL]
    if not entries:
        return "\n".join([*parts, EMPTY])
    parts.append(LEGEND)
    ordered = sorted(entries, key=lambda entry: (*_protocol_key(entry), entry.path))
    for _, group in groupby(ordered, key=_protocol_key):
        parts += _section(list(group), titles)
    return "\n".join(parts)


def render_terminal(records: Sequence[Record], titles: Mapping[str, str]) -> str:
    """Two padded tables of records under one protocol: scores, and recall of each class; the best record first."""
    if not records:
        return "no record"
    protocol = _definition(records)
    ordered = sorted(records, key=lambda record: -_ranking(record, protocol))
    score_table = [*name_columns(), *score_columns(protocol, titles), *run_columns()]
    recall_table = [*name_columns(), *recall_columns(protocol)]
    return "\n\n".join(
        render_table(
            [column.title for column in columns], [[column.cell(record) for column in columns] for record in ordered]
        )
        for columns in (score_table, recall_table)
    )


def _protocol_key(entry: Entry) -> tuple[str, int]:
    # The newest version of a protocol comes first.
    return entry.record.protocol.name, -entry.record.protocol.version


def _section(entries: list[Entry], titles: Mapping[str, str]) -> list[str]:
    protocol = _definition([entry.record for entry in entries])
    columns = [
        *name_columns(),
        *score_columns(protocol, titles),
        *recall_columns(protocol),
        *cost_columns(),
        *run_columns(),
    ]
    ordered = sorted(entries, key=lambda entry: (-_ranking(entry.record, protocol), entry.path))
    ranked = [entry for entry in ordered if entry.record.eligible]
    others = [entry for entry in ordered if not entry.record.eligible]
    ranking = escape(titles.get(protocol.ranking, protocol.ranking))
    parts = [
        f"## {escape(protocol.name)}, version {protocol.version}\n",
        f"{escape(protocol.title)}. Data: {escape(protocol.citation)}. Ranked by {ranking}.\n",
    ]
    if ranked:
        scores = [_ranking(entry.record, protocol) for entry in ranked]
        # Equal scores share a rank, and the next one is counted on: 1, 1, 3.
        parts.append(_table("Rank", [str(1 + scores.index(score)) for score in scores], ranked, columns))
    else:
        parts.append("No ranked result yet.\n")
    if others:
        parts.append("### Not ranked\n")
        parts.append(_table("Why", [_why_not(entry.record) for entry in others], others, columns))
    return parts


def _table(first: str, firsts: Sequence[str], entries: Sequence[Entry], columns: Sequence[Column]) -> str:
    rows = [
        [lead, *(column.cell(entry.record) for column in columns), f"[record]({quote(str(entry.path))}/record.json)"]
        for lead, entry in zip(firsts, entries, strict=True)
    ]
    return render_table([first, *(column.title for column in columns), "Record"], rows) + "\n"


def _definition(records: Sequence[Record]) -> Protocol:
    """The protocol that gives a table its columns: an eligible record's, for others may have changed theirs."""
    chosen = next((record for record in records if record.eligible), records[0])
    return protocol_of(chosen)


def _ranking(record: Record, protocol: Protocol) -> float:
    summary = summary_of(record, protocol.ranking)
    return summary.mean if summary else -1.0


def _why_not(record: Record) -> str:
    reasons = [f"unofficial: {reason}" for reason in record.marks.unofficial]
    reasons += [f"incomplete: {reason}" for reason in record.marks.incomplete]
    return "; ".join(map(escape, reasons)) or "checkpoints not selected on val"
