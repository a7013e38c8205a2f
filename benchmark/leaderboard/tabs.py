"""The tabs of a leaderboard, and their markdown pages."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from benchmark.leaderboard.cost import COST
from benchmark.leaderboard.doubtful import DOUBTFUL
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.markdown import escape, render_table
from benchmark.leaderboard.sections import Section, sections
from benchmark.leaderboard.spoiled import SPOILED
from benchmark.leaderboard.tab import Tab, TabTable, name_of
from benchmark.leaderboard.ties import Ranks

TABS = (COST, SPOILED, DOUBTFUL)
BACK = "Scores and ranks are on [the leaderboard](README.md) and, of synthetic data, on [its own page](SYNTHETIC.md).\n"
SAY_NOTHING = "**These numbers say nothing about real faces.** They come from generated clips.\n"


def sections_of(entries: Sequence[Entry], titles: Mapping[str, str], ranks: Ranks) -> dict[bool, list[Section]]:
    """The sections of real rows, and of synthetic ones (True)."""
    return {
        synthetic: sections([one for one in entries if one.record.marks.synthetic == synthetic], titles, ranks)
        for synthetic in (False, True)
    }


def tables_of(tab: Tab, found: Sequence[Section], titles: Mapping[str, str]) -> list[tuple[Section, list[TabTable]]]:
    """What a tab shows of sections, those left out of which it has nothing."""
    shown = [(section, [table for table in tab.tables(section, titles) if table.rows]) for section in found]
    return [(section, tables) for section, tables in shown if tables]


def render_tab(tab: Tab, entries: Sequence[Entry], titles: Mapping[str, str], ranks: Ranks) -> str:
    """The tab's page as markdown; the same entries in any order give the same text."""
    parts = ["<!-- Written by `benchmark leaderboard build`; edits will be lost. -->\n", f"# {tab.title}\n"]
    parts += [textwrap.fill(paragraph, 120) + "\n" for paragraph in tab.about]
    parts.append(BACK)
    for synthetic, found in sections_of(entries, titles, ranks).items():
        shown = tables_of(tab, found, titles)
        if synthetic and shown:
            parts += ["## Synthetic data\n", SAY_NOTHING]
        elif not synthetic and not shown:
            parts.append(f"{tab.empty}\n")
        for section, tables in shown:
            level = "###" if synthetic else "##"
            parts.append(f"{level} {escape(section.protocol.name)}, version {section.protocol.version}\n")
            for table in tables:
                parts += [f"{level}# {escape(table.heading)}\n", *([f"{table.about}\n"] if table.about else [])]
                parts.append(_table(table))
    return "\n".join(parts)


def _table(table: TabTable) -> str:
    lead, before = table.before or ("", ())
    rows = [
        [
            *([before[number]] if before else []),
            f"[{escape(name_of(entry.record))}]({quote(str(entry.path))}/record.json)",
            *(escape(cell.text) for cell in cells),
        ]
        for number, (entry, cells) in enumerate(table.rows)
    ]
    header = [*([escape(lead)] if before else []), "Row", *map(escape, table.header)]
    return render_table(header, rows) + "\n"
