"""The table of `benchmark sweep`, as markdown and as a JSON value."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from benchmark.finished.sweep_table import ScoredRow
from benchmark.leaderboard.columns import marks
from benchmark.leaderboard.markdown import escape, percent, render_table
from benchmark.leaderboard.rendering import metric_titles
from benchmark.leaderboard.reported import DISCLAIMER, read_table, render_reported, shipped_tables
from benchmark.planning.sweep_file import Sweep
from benchmark.records import RECORD, Summary
from benchmark.reports.comparison import SYNTHETIC, difference_cells, p_text

LEGEND = """\
Scores are percent, means over the finished units with their 95 % interval. Differences are points, the row minus its
baseline over the test clips that both share; their 95 % interval and p come from leaving out each clip (or all clips of
a video, subject or source, where the protocol names one) of both rows at once. They cover the choice of test clips, and
that of seeds where both rows have several for every fold. p is corrected after Holm for the number of rows that have a
baseline, for each metric on its own."""


def sweep_text(sweep: Sweep, rows: Sequence[ScoredRow]) -> str:
    """The table with what must be known to read it."""
    titles = {name: escape(metric_titles().get(name, name)) for name in sweep.metrics}
    header = ["Row", "Protocol"]
    for title in titles.values():
        header += [title, f"{title} against baseline", "95 % interval", "p (Holm)"]
    header += [f"{title}, {escape(grouping)}" for grouping in sweep.groupings for title in titles.values()]
    header += ["Baseline", "Units", "Marks"]
    synthetic = any(is_synthetic(row) for row in rows)
    parts = [
        f"# {escape(sweep.title)}",
        SYNTHETIC if synthetic else "",
        escape_long(sweep.citation),
        render_table(header, [_cells(sweep, rows, row) for row in rows]),
        "\n".join(f"* {escape_long(note)}" for note in sweep.notes),
        LEGEND,
        "" if synthetic else paper_text(sweep.name),
    ]
    return "\n\n".join(part for part in parts if part)


def paper_text(name: str) -> str:
    """The table that a paper prints, where `leaderboard/reported/` has one of the sweep's name; else nothing."""
    path = shipped_tables() / f"{name}.yaml"
    if not path.is_file():
        return ""
    return f"## In the paper\n\n{DISCLAIMER}\n\n{render_reported([read_table(path)])}"


def sweep_document(sweep: Sweep, rows: Sequence[ScoredRow]) -> dict[str, Any]:
    """Everything that the table shows, as a JSON value; rows are named by their labels."""
    return {
        "sweep": sweep.name,
        "title": sweep.title,
        "citation": sweep.citation,
        "synthetic": any(is_synthetic(row) for row in rows),
        "rows": [
            {
                "row": row.planned.variant.label,
                "protocol": row.planned.protocol.name,
                "method": row.planned.variant.method,
                "preset": row.planned.units[0].preset,
                "augment": list(row.planned.variant.augment),
                "labels": row.planned.variant.labels,
                "set": row.planned.units[0].overrides,
                "record": str(row.planned.units[0].record_folder / RECORD) if row.record else None,
                "units": {"asked": len(row.planned.units), "finished": row.finished, "paired": row.paired},
                "scores": {name: _summary(row.score(name)) for name in sweep.metrics},
                "groupings": {
                    grouping: {name: _summary(row.score(name, grouping)) for name in sweep.metrics}
                    for grouping in sweep.groupings
                },
                "baseline": _baseline(rows, row),
                "differences": {name: dataclasses.asdict(found) for name, found in row.differences.items()},
                "marks": _marks(row),
            }
            for row in rows
        ],
        "notes": list(sweep.notes),
    }


def is_synthetic(row: ScoredRow) -> bool:
    """Whether the row's numbers come from generated clips."""
    return row.planned.data.synthetic


def escape_long(text: str) -> str:
    """As `escape`, for text outside tables, which is not cut off."""
    return " ".join(escape(word) for word in text.split())


def _cells(sweep: Sweep, rows: Sequence[ScoredRow], row: ScoredRow) -> list[str]:
    cells = [escape(row.planned.variant.label), escape(row.planned.protocol.name)]
    for name in sweep.metrics:
        found = row.differences.get(name)
        cells.append(_score(row.score(name)))
        cells += ["-"] * 3 if found is None else [*difference_cells(found), p_text(found.holm)]
    cells += [_score(row.score(name, grouping)) for grouping in sweep.groupings for name in sweep.metrics]
    other = _baseline(rows, row)
    if other is None:
        baseline = "itself"
    else:
        moved = other["protocol"] != row.planned.protocol.name
        baseline = escape(f"{other['row']} ({other['protocol']})" if moved else other["row"])
    return [*cells, baseline, _units(row), "; ".join(map(escape, _marks(row))) or "-"]


def _units(row: ScoredRow) -> str:
    """Finished of those asked for, and how many of them the test is over where it is not all."""
    text = f"{row.finished} of {len(row.planned.units)}"
    return f"{text}, {row.paired} paired" if row.differences and row.paired < row.finished else text


def _marks(row: ScoredRow) -> list[str]:
    return marks(row.record) if row.record else (["synthetic"] if is_synthetic(row) else [])


def _baseline(rows: Sequence[ScoredRow], row: ScoredRow) -> dict[str, str] | None:
    if row.planned.baseline is None:
        return None
    other = rows[row.planned.baseline].planned
    return {"row": other.variant.label, "protocol": other.protocol.name}


def _score(summary: Summary | None) -> str:
    if summary is None:
        return "-"
    return f"{percent(summary.mean)} [{percent(summary.low)}, {percent(summary.high)}]"


def _summary(summary: Summary | None) -> dict[str, Any] | None:
    return summary.model_dump(mode="json") if summary else None
