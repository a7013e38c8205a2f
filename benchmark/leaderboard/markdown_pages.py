"""The leaderboard's pages: one ranked table per protocol, below it what can't be ranked, then the literature."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from benchmark.leaderboard.columns import (
    Column,
    name_columns,
    recall_columns,
    run_columns,
    score_columns,
    shown_classes,
)
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.legend import LEGEND
from benchmark.leaderboard.markdown import escape, percent, render_table
from benchmark.leaderboard.outside import OutsideEntry, render_outside
from benchmark.leaderboard.references import AnnotatedProtocol, Reference, references
from benchmark.leaderboard.reported import DISCLAIMER, ReportedTable, render_reported
from benchmark.leaderboard.sections import LACKING, RANKS, Section, definition, ranking_score, sections
from benchmark.leaderboard.ties import Ranks
from benchmark.protocol import Protocol
from benchmark.records import Record

REAL = """\
# Leaderboard

Every ranked row was run by this benchmark under one fixed protocol, its checkpoints selected on validation data, and
every number can be recomputed from the predictions beside its record. Rows on synthetic data are on
[a page of their own](SYNTHETIC.md). Of all rows: [what they cost](COST.md), what they make of
[spoiled clips](ROBUSTNESS.md) and of [clips without a label](UNLABELLED.md).
"""
SYNTHETIC = """\
# Synthetic data

**These numbers say nothing about real faces.** They come from generated clips, and show only that the benchmark runs
from end to end. Results on real data are on [the leaderboard](README.md). Of all rows: [what they cost](COST.md), what
they make of [spoiled clips](ROBUSTNESS.md) and of [clips without a label](UNLABELLED.md).
"""
GENERATED = "<!-- Written by `benchmark leaderboard build`; edits will be lost. -->\n"
EMPTY = """\
No results yet. To publish one:

1. `benchmark run --protocol <protocol> --method <method> --data-root <folder>` runs all folds and leaves a record.
2. `benchmark leaderboard add <run>` verifies it and copies it, with its predictions, into `records/`.
3. `benchmark leaderboard build` renders this page; `benchmark leaderboard check` is what a pull request must pass.
"""


def render_page(
    entries: Sequence[Entry],
    titles: Mapping[str, str],
    synthetic: bool,
    ranks: Ranks,
    reported: Sequence[ReportedTable] = (),
    outside: Sequence[OutsideEntry] = (),
    annotated: Sequence[AnnotatedProtocol] = (),
) -> str:
    """The page as markdown; the same entries in any order give the same text.

    titles: metric titles by name. ranks: the best and the worst place of each ranked entry, by path. reported: tables
    of the literature, for the page of real results. outside: systems that are no method of this benchmark.
    annotated: what annotators reach.
    """
    parts = [GENERATED, SYNTHETIC if synthetic else REAL, _legend() if entries else EMPTY]
    for section in sections(entries, titles, ranks, reported):
        parts += _section(section, titles, references(section.entries, annotated))
    if outside:
        parts.append(render_outside(outside, titles))
    if reported:
        parts.append(f"## Reported in the literature\n\n{DISCLAIMER}\n\n{render_reported(reported)}")
    return "\n".join(parts)


def render_terminal(records: Sequence[Record], titles: Mapping[str, str]) -> str:
    """Two padded tables of records under one protocol: scores, and recall of each class; the best record first."""
    if not records:
        return "no record"
    protocol = definition(records)
    ordered = sorted(records, key=lambda record: -ranking_score(record, protocol))
    score_table = [*name_columns(), *score_columns(protocol, titles), *run_columns()]
    recall_table = [*name_columns(), *recall_columns(protocol)]
    return "\n\n".join(
        render_table(
            [column.title for column in columns], [[column.cell(record) for column in columns] for record in ordered]
        )
        for columns in (score_table, recall_table)
    )


def _legend() -> str:
    lines = [textwrap.fill(f"* **{term}.** {text}", 120, subsequent_indent="  ") for term, text in LEGEND]
    return "\n".join([*lines, ""])


def _section(section: Section, titles: Mapping[str, str], held_against: Sequence[Reference]) -> list[str]:
    protocol = section.protocol
    columns = [column for group in section.columns.values() for column in group]
    ranking = escape(titles.get(protocol.ranking, protocol.ranking))
    parts = [
        f"## {escape(protocol.name)}, version {protocol.version}\n",
        f"{escape(protocol.title)}. Data: {escape(protocol.citation)}. Ranked by {ranking}.\n",
        *([textwrap.fill(section.facts, 120) + "\n"] if section.facts else []),
    ]
    if held_against:
        parts.append(_references(held_against, protocol, titles))
    if section.ranked or section.lacking:
        parts.append(textwrap.fill(RANKS, 120) + "\n")
    if section.ranked:
        parts.append(_table("Rank", section.ranked, columns))
    elif not section.lacking:
        parts.append("No ranked result yet.\n")
    if section.lacking:
        parts += [f"### {LACKING}\n", _table("Rank", section.lacking, columns)]
    if section.others:
        parts.append("### Not ranked\n")
        rows = [("; ".join(map(escape, reasons)), entry) for reasons, entry in section.others]
        parts.append(_table("Why", rows, columns))
    return parts


def _references(rows: Sequence[Reference], protocol: Protocol, titles: Mapping[str, str]) -> str:
    header = ["Without a model", *(titles.get(name, name) for name in protocol.metrics), *shown_classes(protocol)]
    cells = [
        [
            row.title,
            *(percent(row.metrics.get(m)) for m in protocol.metrics),
            *(percent(row.recall.get(name)) for name in shown_classes(protocol)),
        ]
        for row in rows
    ]
    about = [f"* {row.title}: {row.about}." for row in rows]
    return "\n".join([render_table(list(map(escape, header)), cells), "", *about, ""])


def _table(first: str, rows: Sequence[tuple[str, Entry]], columns: Sequence[Column]) -> str:
    cells = [
        [
            lead,
            *(column.cell(entry.record) for column in columns),
            entry.verified,
            f"[record]({quote(str(entry.path))}/record.json)",
        ]
        for lead, entry in rows
    ]
    return render_table([first, *(column.title for column in columns), "Verified", "Record"], cells) + "\n"
