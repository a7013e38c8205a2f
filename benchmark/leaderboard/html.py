"""The leaderboard as a static site: an index, and one page per record; no page loads anything from anywhere."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import unescape
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any

import jinja2
from markupsafe import Markup, escape

from benchmark.files import write_text
from benchmark.leaderboard.columns import Column, name_columns, shown_classes, summary_of
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.entry_files import entry_id
from benchmark.leaderboard.interval_scale import Interval, fit, interval_of
from benchmark.leaderboard.legend import LEGEND
from benchmark.leaderboard.markdown import percent
from benchmark.leaderboard.outside import ABOUT, TITLE, OutsideEntry, by_protocol, system_cells, system_header
from benchmark.leaderboard.record_page import record_view
from benchmark.leaderboard.references import AnnotatedProtocol, Reference, references
from benchmark.leaderboard.reported import DISCLAIMER, SELECTIONS, ReportedTable
from benchmark.leaderboard.sections import LACKING, RANKS, Section, sections
from benchmark.leaderboard.tab import Tab, TabTable, name_of
from benchmark.leaderboard.tabs import TABS, sections_of, tables_of
from benchmark.leaderboard.ties import Ranks, Verdicts
from benchmark.protocol import Protocol
from benchmark.records import Record, class_clips
from benchmark.records.names import row_name
from benchmark.scoring.metrics import FEW_CLIPS

# No network, no plugins, no forms; of scripts only the one with this hash runs. Styles stand in the page, and in plots.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {script}; base-uri 'none'; "
    "form-action 'none'"
)
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?(?= |$)")


@dataclass(frozen=True)
class Cell:
    """A cell of the index, as plain text.

    number: what it is sorted by, empty if that is its text. interval: drawn below the text. shade: a score in 0..1 that
    the background stands for. few: it is a recall of few clips, which says little.
    """

    column: str
    text: str
    number: str
    interval: Interval | None = None
    shade: float | None = None
    few: bool = False


def write_site(
    entries: Sequence[Entry],
    titles: Mapping[str, str],
    out: Path,
    ranks: Ranks,
    reported: Sequence[ReportedTable] = (),
    verdicts: Verdicts | None = None,
    annotated: Sequence[AnnotatedProtocol] = (),
    systems: Sequence[OutsideEntry] = (),
) -> list[Path]:
    """Write `out/index.html`, a page for each tab and `out/records/<id>.html` for each entry.

    Equal arguments give equal bytes. They are those of `render_index`. Returns the paths written; whatever else lies in
    `out` is left alone.
    """
    pages = {"index.html": render_index(entries, titles, ranks, reported, verdicts, annotated, systems)}
    pages |= {f"{tab.name}.html": render_tab_page(tab, entries, titles, ranks) for tab in TABS}
    script = _script("scroll.js")
    for entry in sorted(entries, key=lambda entry: entry.path):
        pages[_page_of(entry)] = _render(
            "record.html",
            _policy(script),
            script=Markup(script),
            anchor=_anchor(entry.record),
            name=[_plain(column.cell(entry.record)) for column in name_columns()],
            **record_view(entry, titles),
        )
    for name, text in pages.items():
        write_text(out / name, text)
    return [out / name for name in pages]


def render_index(
    entries: Sequence[Entry],
    titles: Mapping[str, str],
    ranks: Ranks,
    reported: Sequence[ReportedTable] = (),
    verdicts: Verdicts | None = None,
    annotated: Sequence[AnnotatedProtocol] = (),
    systems: Sequence[OutsideEntry] = (),
) -> str:
    """The index as HTML; the same entries in any order give the same text.

    titles: metric titles by name. ranks: the best and the worst place of each ranked entry, by path. reported: tables
    quoted from the literature. verdicts: how ranked entries differ, see `verdicts_of`. annotated: what annotators
    reach. systems: what gave answers and is no method here.
    """

    def views(board: Sequence[Entry], quoted: Sequence[ReportedTable]) -> list[dict[str, Any]]:
        shown = sections(board, titles, ranks, quoted)
        return [_section_view(section, titles, verdicts or {}, annotated) for section in shown]

    script = _script("sort.js", "filter.js", "compare.js", "scroll.js")
    real = [entry for entry in entries if not entry.record.marks.synthetic]
    synthetic = [entry for entry in entries if entry.record.marks.synthetic]
    return _render(
        "index.html",
        _policy(script),
        script=Markup(script),
        tabs=TABS,
        real=views(real, reported),
        synthetic=views(synthetic, ()),
        systems=[_systems_view(own, titles) for own in by_protocol(systems)],
        about_systems=ABOUT,
        systems_title=TITLE,
        about_ranks=RANKS,
        few=FEW_CLIPS,
        reported=reported,
        legend=LEGEND,
        without=LACKING,
        disclaimer=DISCLAIMER,
        selections=SELECTIONS,
    )


def render_tab_page(tab: Tab, entries: Sequence[Entry], titles: Mapping[str, str], ranks: Ranks) -> str:
    """A tab as HTML; the arguments are those of `render_index`."""
    script = _script("sort.js", "scroll.js")
    shown = {
        synthetic: [_tab_view(tab, *one, synthetic) for one in tables_of(tab, found, titles)]
        for synthetic, found in sections_of(entries, titles, ranks).items()
    }
    return _render(
        "tab.html",
        _policy(script),
        script=Markup(script),
        tab=tab,
        tabs=TABS,
        real=shown[False],
        synthetic=shown[True],
    )


def _tab_view(tab: Tab, section: Section, tables: Sequence[TabTable], synthetic: bool) -> dict[str, Any]:
    return {
        "protocol": section.protocol,
        "synthetic": synthetic,
        "tables": [_table_view(table) for table in tables],
        "figure": Markup(figure) if (figure := tab.figure(section)) else "",
    }


def _table_view(table: TabTable) -> dict[str, Any]:
    before = table.before[1] if table.before else [""] * len(table.rows)
    rows = [
        {"before": lead, "name": name_of(entry.record), "page": _page_of(entry), "cells": cells}
        for lead, (entry, cells) in zip(before, table.rows, strict=True)
    ]
    numeric = {
        title
        for number, title in enumerate(table.header)
        if any(_NUMBER.match(cells[number].text) for _, cells in table.rows)
    }
    lead = table.before and table.before[0]
    return {
        "heading": table.heading,
        "about": table.about,
        "header": table.header,
        "numeric": numeric,
        "rows": rows,
        "before": [lead] if lead else [],
    }


def _page_of(entry: Entry) -> str:
    return f"records/{entry_id(entry.record)}.html"


def _anchor(record: Record) -> str:
    """The place of a record's protocol on the index; names of protocols are plain words."""
    return f"{'synthetic-' if record.marks.synthetic else ''}{record.protocol.name}-v{record.protocol.version}"


def _systems_view(own: Sequence[OutsideEntry], titles: Mapping[str, str]) -> dict[str, Any]:
    """The systems under one protocol, as text."""
    return {
        "name": own[0].answers.protocol.name,
        "synthetic": own[0].answers.synthetic,
        "header": system_header(own[0], titles)[:-1],
        "rows": [[_plain(cell) for cell in system_cells(entry)[:-1]] for entry in own],
    }


def _references(rows: Sequence[Reference], protocol: Protocol) -> list[dict[str, Any]]:
    return [
        {
            "title": row.title,
            "about": row.about,
            "cells": [
                *(percent(row.metrics.get(name)) for name in protocol.metrics),
                *(percent(row.recall.get(name)) for name in shown_classes(protocol)),
            ],
        }
        for row in rows
    ]


def _section_view(
    section: Section, titles: Mapping[str, str], verdicts: Verdicts, annotated: Sequence[AnnotatedProtocol]
) -> dict[str, Any]:
    protocol = section.protocol
    entries = section.entries
    scale = fit(interval_of(summary_of(entry.record, protocol.ranking)) for entry in entries)
    groups = {group: [_plain(column.title) for column in columns] for group, columns in section.columns.items()}
    groups["run"].append("Verified")
    tables = {
        "ranked": [_row_view(rank, entry, section, verdicts) for rank, entry in section.ranked],
        "lacking": [_row_view(rank, entry, section, verdicts) for rank, entry in section.lacking],
        "others": [_row_view("; ".join(reasons), entry, section, verdicts) for reasons, entry in section.others],
    }
    clips = {tuple(class_clips(entry.record.units)) for entry in entries if entry.record.units}
    return {
        "anchor": _anchor(entries[0].record),
        "protocol": protocol,
        "ranking": titles.get(protocol.ranking, protocol.ranking),
        "facts": section.facts,
        "references": _references(references(entries, annotated), protocol),
        "held_by": [*(titles.get(name, name) for name in protocol.metrics), *shown_classes(protocol)],
        "scale": scale,
        "groups": groups,
        "numeric": {cell.column for rows in tables.values() for row in rows for cell in row["cells"] if cell.number},
        # Of how many clips each recall is, where that is the same for all rows.
        "clips": dict(zip(groups["recall"], clips.pop(), strict=True)) if groups["recall"] and len(clips) == 1 else {},
        **tables,
    }


def _row_view(lead: str, entry: Entry, section: Section, verdicts: Verdicts) -> dict[str, Any]:
    record = entry.record
    ranking = section.columns["scores"][0]
    clips = class_clips(record.units) if record.units else []
    few = {name for name, number in zip(section.protocol.classes, clips, strict=False) if number < FEW_CLIPS}
    cells = [
        _cell(
            column,
            record,
            section.protocol.ranking if column is ranking else None,
            group == "recall",
            group == "recall" and _plain(column.title) in few,
        )
        for group, columns in section.columns.items()
        for column in columns
    ]
    return {
        "lead": lead,
        "page": _page_of(entry),
        "cells": [*cells, Cell("Verified", entry.verified, number="")],
        "id": entry_id(record),
        "name": row_name(record),
        "verdicts": _verdicts_of(entry, verdicts),
    }


def _verdicts_of(entry: Entry, verdicts: Verdicts) -> str:
    """How a row differs from each of its rivals, by their ids, as JSON: difference, its interval in points, and p."""
    found = {}
    for other, one in verdicts.get(str(entry.path), {}).items():
        points = [round(100 * value, 2) for value in (one.value, one.low, one.high)]
        found[PurePosixPath(other).name] = [*points, float(f"{one.p:.2g}")]
    return json.dumps(found, sort_keys=True, separators=(",", ":")) if found else ""


def _cell(column: Column, record: Record, drawn: str | None, shaded: bool, few: bool) -> Cell:
    """A column's cell; drawn: the metric whose interval is drawn in it."""
    text = _plain(column.cell(record))
    number = _NUMBER.match(text)
    return Cell(
        column=_plain(column.title),
        text=text,
        number=number.group() if number else "",
        interval=interval_of(summary_of(record, drawn)) if drawn else None,
        shade=float(number.group()) / 100 if shaded and number else None,
        few=few,
    )


def _render(template: str, policy: str, **values: Any) -> str:
    return _templates().get_template(template).render(policy=policy, style=Markup(_asset("style.css")), **values)


@lru_cache(maxsize=1)
def _templates() -> jinja2.Environment:
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("benchmark.leaderboard", "site"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters["percent"] = percent
    templates.filters["code"] = _code
    templates.filters["number"] = lambda text: number.group() if (number := _NUMBER.match(text)) else ""
    return templates


def _printable(value: Any) -> Any:
    """Text without control characters, which could turn the direction of what follows; everything else as it is."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "".join(c if c.isprintable() or c == "\n" else " " for c in value)


def _code(text: str) -> Markup:
    """Text with what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _script(*names: str) -> str:
    """Scripts as one text, each in a block of its own, so that they share no names."""
    return '"use strict";\n' + "\n".join(f"{{\n{_asset(name)}}}" for name in names) + "\n"


def _policy(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return POLICY.format(script=f"'sha256-{digest}'")


def _asset(name: str) -> str:
    return files("benchmark.leaderboard").joinpath("site", name).read_text(encoding="utf-8")


def _plain(cell: str) -> str:
    """The words of a markdown cell, unescaped: what `benchmark.leaderboard.markdown.escape` made them of."""
    return unescape(re.sub(r"\\(.)", r"\1", cell))
