"""A tab: one more page about the same rows, so that the tables of the results stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.sections import Section
from benchmark.records import Record, Summary
from benchmark.records.names import row_name

# What stands where a row says nothing.
NOTHING = "-"


@dataclass(frozen=True)
class Cell:
    """A cell as plain text; shade: a share in 0..1 that its background stands for. few: it says little."""

    text: str
    shade: float | None = None
    few: bool = False


@dataclass(frozen=True)
class TabTable:
    """A table of a tab: each row is about an entry, whose name comes first and leads to the entry's own page.

    before: what stands before the name, such as a budget; empty if there is nothing.
    """

    heading: str
    about: str
    header: tuple[str, ...]
    rows: tuple[tuple[Entry, tuple[Cell, ...]], ...]
    before: tuple[str, tuple[str, ...]] | None = None


@dataclass(frozen=True)
class Tab:
    """A page beside the results.

    name: of its files. about: paragraphs of plain text with `code` between backticks. empty: what a table without rows
    takes. tables: those of a section; titles of metrics by name. figure: an SVG element for the static site, whose
    words are escaped; empty if there is none.
    """

    name: str
    title: str
    about: tuple[str, ...]
    empty: str
    tables: Callable[[Section, Mapping[str, str]], Sequence[TabTable]]
    figure: Callable[[Section], str] = lambda section: ""

    @property
    def page(self) -> str:
        """The name of its markdown page."""
        return f"{self.name.upper()}.md"


def name_of(record: Record) -> str:
    """What a row is called, and why it has no rank if it has none."""
    return row_name(record) + ("" if record.eligible else " (not ranked)")


def score_text(summary: Summary | None) -> str:
    """A score with its interval, in percent."""
    if summary is None:
        return NOTHING
    return f"{100 * summary.mean:.2f} [{100 * summary.low:.2f}, {100 * summary.high:.2f}]"
