"""Rendering a leaderboard's pages from its entries; equal entries give equal bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from benchmark.files import write_text
from benchmark.leaderboard.comparisons import Comparisons, read_comparisons, write_comparisons
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.entry_files import LabelsOf, read_entries
from benchmark.leaderboard.markdown_pages import render_page, render_terminal
from benchmark.leaderboard.outside import read_outside_entries
from benchmark.leaderboard.pairing import compare_rivals
from benchmark.leaderboard.references import CeilingOf, annotate, read_annotators, write_annotators
from benchmark.leaderboard.reported import load_reported
from benchmark.leaderboard.rivals import rankings
from benchmark.leaderboard.tabs import TABS, render_tab
from benchmark.leaderboard.ties import Ranks, places, verdicts_of
from benchmark.records import RECORD, Record, read_record
from benchmark.records.further import read_further
from benchmark.registry import registry

PAGES = {"README.md": False, "SYNTHETIC.md": True}
RENDERED = (*PAGES, *(tab.page for tab in TABS))
SCHEMA = "record.schema.json"
REPORTED = "reported"
# A page holds the comparisons of every two rows of a ranking up to this size; `benchmark compare` makes any.
MOST_VERDICTS = 200


def build(folder: Path, labels_of: LabelsOf | None = None, ceiling_of: CeilingOf | None = None) -> list[Path]:
    """Compare new rows of the rankings, and write the comparisons, the pages and the records' JSON Schema.

    labels_of: gives the labels of a record whose dataset the user has; it is compared over the same clips. ceiling_of:
    gives what the annotators of a record's clips reach, where the user has their votes.
    """
    entries = read_entries(folder)
    stored = read_comparisons(folder)
    comparisons = []
    for rivals in rankings(entries):
        known = next((one for one in stored if not set(rivals.paths).isdisjoint(one.entries)), None)
        comparisons.append(compare_rivals(folder, rivals, labels_of, known))
    annotated = annotate(entries, ceiling_of or (lambda record: None), read_annotators(folder))
    written = [write_comparisons(folder, comparisons), write_annotators(folder, annotated)]
    return [*written, *_write(folder, rendered(folder, entries, comparisons))]


def overview(runs: Path) -> list[Path]:
    """Write the same pages over the records of one's own runs, wherever they lie below `runs`.

    Nothing is verified: the runs' scores were computed here, from predictions and labels.
    """
    places = sorted(path.parent for path in runs.rglob(RECORD))
    entries = [
        Entry(PurePosixPath(place.relative_to(runs)), read_record(place / RECORD), further=read_further(place))
        for place in places
    ]
    comparisons = [compare_rivals(runs, rivals, labels_of=None) for rivals in rankings(entries)]
    pages = rendered(runs, entries, comparisons)
    return _write(runs, {name: text for name, text in pages.items() if name != SCHEMA})


def rendered(folder: Path, entries: Sequence[Entry], comparisons: Sequence[Comparisons]) -> dict[str, str]:
    """The text of every generated file that `build` writes beside the comparisons, by name."""
    ranks = ranks_of(entries, comparisons)
    reported = load_reported(folder / REPORTED)
    outside, annotated = read_outside_entries(folder), read_annotators(folder)
    pages = {
        name: render_page(
            [entry for entry in entries if entry.record.marks.synthetic == synthetic],
            metric_titles(),
            synthetic,
            ranks,
            () if synthetic else reported,
            [system for system in outside if system.answers.synthetic == synthetic],
            annotated,
        )
        for name, synthetic in PAGES.items()
    }
    tabs = {tab.page: render_tab(tab, entries, metric_titles(), ranks) for tab in TABS}
    return {**pages, **tabs, SCHEMA: json.dumps(Record.model_json_schema(), indent=2, sort_keys=True) + "\n"}


def write_html(folder: Path, out: Path) -> list[Path]:
    """Write the static site of a leaderboard whose pages `build` has written, see `write_site`."""
    from benchmark.leaderboard.html import write_site

    entries, comparisons = read_entries(folder), read_comparisons(folder)
    ranks = ranks_of(entries, comparisons)
    by_entries = {one.entries: one for one in comparisons}
    verdicts = {
        path: found
        for rivals in rankings(entries)
        if rivals.paths in by_entries and len(rivals.paths) <= MOST_VERDICTS
        for path, found in verdicts_of(rivals, by_entries[rivals.paths]).items()
    }
    more = read_annotators(folder), read_outside_entries(folder)
    return write_site(entries, metric_titles(), out, ranks, load_reported(folder / REPORTED), verdicts, *more)


def ranks_of(entries: Sequence[Entry], comparisons: Sequence[Comparisons]) -> Ranks:
    """The places that each ranked entry may have, from the comparisons of its ranking."""
    by_entries = {one.entries: one for one in comparisons}
    return {
        path: interval
        for rivals in rankings(entries)
        if rivals.paths in by_entries
        for path, interval in places(rivals, by_entries[rivals.paths]).items()
    }


def page_of(record: Record) -> str:
    """The file name of the page that shows a record."""
    return next(name for name, synthetic in PAGES.items() if synthetic == record.marks.synthetic)


def terminal_table(records: Sequence[Record]) -> str:
    """Records under one protocol as markdown tables for the terminal, the best record first."""
    return render_terminal(records, metric_titles())


def metric_titles() -> dict[str, str]:
    """The installed metrics' titles by name."""
    return {name: spec.title for name, spec in registry().metrics.items()}


def _write(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in texts]
