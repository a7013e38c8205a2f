"""Rendering a leaderboard's pages from its entries; equal entries give equal bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from benchmark.files import write_text
from benchmark.leaderboard.entries import LabelsOf, read_entries
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.pages import render_page, render_terminal
from benchmark.leaderboard.reported import load_reported
from benchmark.leaderboard.sections import Section, sections
from benchmark.leaderboard.ties import (
    Comparison,
    compare_entries,
    neighbours,
    read_comparisons,
    write_comparisons,
)
from benchmark.records import RECORD, Record, read_record
from benchmark.registry import registry

PAGES = {"README.md": False, "SYNTHETIC.md": True}
SCHEMA = "record.schema.json"
REPORTED = "reported"

Comparisons = Mapping[tuple[str, str], Comparison]


def build(folder: Path, labels_of: LabelsOf | None = None) -> list[Path]:
    """Compare new neighbours of the rankings, and write the comparisons, the pages and the records' JSON Schema.

    labels_of: gives the labels of a record whose dataset the user has; its neighbours are compared over the same clips.
    """
    entries = read_entries(folder)
    stored = read_comparisons(folder)
    comparisons = {}
    for first, second in neighbours(_sections(entries)):
        key = (str(first.path), str(second.path))
        labels = labels_of(first.record) if labels_of else None
        known = stored.get(key)
        if known is None or (labels is not None and not known.units):
            known = compare_entries(folder, first, second, labels)
        comparisons[key] = known
    written = write_comparisons(folder, list(comparisons.values()))
    return [written, *_write(folder, rendered(folder, entries, comparisons))]


def overview(runs: Path) -> list[Path]:
    """Write the same pages over the records of one's own runs, wherever they lie below `runs`.

    Nothing is verified: the runs' scores were computed here, from predictions and labels.
    """
    places = sorted(path.parent for path in runs.rglob(RECORD))
    entries = [Entry(PurePosixPath(place.relative_to(runs)), read_record(place / RECORD)) for place in places]
    pairs = neighbours(_sections(entries))
    comparisons = {(str(a.path), str(b.path)): compare_entries(runs, a, b, labels=None) for a, b in pairs}
    pages = rendered(runs, entries, comparisons)
    return _write(runs, {name: text for name, text in pages.items() if name in PAGES})


def rendered(folder: Path, entries: Sequence[Entry], comparisons: Comparisons) -> dict[str, str]:
    """The text of every generated file that `build` writes beside the comparisons, by name."""
    reported = load_reported(folder / REPORTED)
    pages = {
        name: render_page(
            [entry for entry in entries if entry.record.marks.synthetic == synthetic],
            metric_titles(),
            synthetic,
            tied_by(comparisons),
            () if synthetic else reported,
        )
        for name, synthetic in PAGES.items()
    }
    return {**pages, SCHEMA: json.dumps(Record.model_json_schema(), indent=2, sort_keys=True) + "\n"}


def write_html(folder: Path, out: Path) -> list[Path]:
    """Write the static site of a leaderboard whose pages `build` has written, see `write_site`."""
    from benchmark.leaderboard.html import write_site

    tied = tied_by(read_comparisons(folder))
    return write_site(read_entries(folder), metric_titles(), out, load_reported(folder / REPORTED), tied)


def tied_by(comparisons: Comparisons) -> Callable[[Entry, Entry], bool]:
    """Whether comparisons that were made leave two neighbours of a ranking unseparated."""

    def tied(first: Entry, second: Entry) -> bool:
        found = comparisons.get((str(first.path), str(second.path)))
        return found is not None and not found.separated

    return tied


def table(records: Sequence[Record]) -> str:
    """Records under one protocol as markdown tables for the terminal, the best record first."""
    return render_terminal(records, metric_titles())


def metric_titles() -> dict[str, str]:
    """The installed metrics' titles by name."""
    return {name: spec.title for name, spec in registry().metrics.items()}


def _sections(entries: Sequence[Entry]) -> list[Section]:
    return sections(entries, metric_titles())


def _write(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in texts]
