"""`benchmark leaderboard ...`: publish a record, render the pages, verify everything."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmark.cli import attesting
from benchmark.cli.output import note, positive
from benchmark.errors import UsageError
from benchmark.resources import cores


def add_commands(commands: Any) -> None:
    """Declare the commands of this module."""
    board = commands.add_parser("leaderboard", help="publish records and verify what is published")
    actions = board.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=type(board))
    for name, function, text in (
        ("add", add_entry, "verify a run's record, copy it with its predictions, render the pages"),
        ("build", build_pages, "render the pages from the records"),
        ("check", check_entries, "recompute every score, compare every page; exit 4 at the first difference"),
        ("review", review_changes, "judge what a branch changes: refused with exit 4, or a summary for the reviewer"),
    ):
        action = actions.add_parser(name, help=text)
        if name == "add":
            action.add_argument(
                "run", type=Path, nargs="?", metavar="RUN", help="a record.json, or the folder that holds it"
            )
            action.add_argument(
                "--predictions", type=Path, metavar="FILE", help="instead: the answers of a system that is no plugin"
            )
            action.add_argument("--system", type=Path, metavar="YAML", help="what that system is, see CONTRIBUTING.md")
            action.add_argument("--protocol", metavar="P", help="under which its answers are scored")
        if name == "build":
            action.add_argument("--html", type=Path, metavar="DIR", help="also write a static site there")
        if name == "review":
            action.add_argument("--base", required=True, metavar="REF", help="what it is to be merged into")
        if name in ("check", "review"):
            action.add_argument(
                "--workers", type=positive, default=cores(), metavar="N", help="processes; default: one for each core"
            )
        action.add_argument("--dir", type=Path, default=Path("leaderboard"), metavar="DIR", help="default: leaderboard")
        action.add_argument(
            "--data-root", type=Path, metavar="DIR", help="where your datasets are: their labels are joined again"
        )
        action.set_defaults(function=function)
    export = actions.add_parser("export", help="print a row as a Hugging Face model card, to go with its weights")
    export.add_argument("record", type=Path, metavar="RECORD", help="a record.json, or the folder that holds it")
    export.add_argument("--hf", action="store_true", required=True, help="as a model card with a model-index")
    export.add_argument("--url", metavar="URL", help="where the record is published; the card names it as the source")
    export.set_defaults(function=export_record)
    attesting.add_actions(actions)


def add_entry(options: argparse.Namespace) -> None:
    """`benchmark leaderboard add RUN`."""
    from benchmark.finished.labels import ceiling_from, known_votes, labels_from
    from benchmark.leaderboard import add, build, publish_further
    from benchmark.records import record_path

    if options.predictions:
        _add_outside(options)
        return
    if options.run is None:
        raise UsageError("give a RUN, or --predictions with --system and --protocol")
    labels_of = labels_from(options.data_root)
    entry = add(options.run, options.dir, labels_of)
    labels, votes = labels_of(entry.record), known_votes(entry.record, options.data_root)
    run = record_path(options.run).parent
    added, left_out = publish_further(run, options.dir, entry, labels["test"] if labels else None, votes)
    build(options.dir, labels_of, ceiling_from(options.data_root))
    for name in added:
        note(f"with {name}")
    for reason in left_out:
        note(f"not published: {reason}")
    note(f"added {options.dir / entry.path}: {entry.verified}; a maintainer's attestation raises the level")


def _add_outside(options: argparse.Namespace) -> None:
    from benchmark.finished.labels import ceiling_from, labels_from
    from benchmark.leaderboard import build
    from benchmark.leaderboard.outside import add_outside
    from benchmark.planning.data import default_root, load_data
    from benchmark.planning.request import find_protocol

    if options.run is not None or options.system is None or options.protocol is None:
        raise UsageError("--predictions FILE needs --system YAML and --protocol P, and no RUN")
    protocol = find_protocol(options.protocol)
    data = load_data(protocol, default_root(options.data_root), votes=False)
    entry = add_outside(options.predictions, options.system, protocol, data, options.dir)
    build(options.dir, labels_from(options.data_root), ceiling_from(options.data_root))
    note(f"added {options.dir / entry.path}; its answers follow from nothing that can be seen here, and have no rank")


def build_pages(options: argparse.Namespace) -> None:
    """`benchmark leaderboard build`."""
    from benchmark.finished.labels import ceiling_from, labels_from
    from benchmark.leaderboard import build, write_html

    written = build(options.dir, labels_from(options.data_root), ceiling_from(options.data_root))
    if options.html:
        written += write_html(options.dir, options.html)
    for path in written:
        note(f"wrote {path}")


def check_entries(options: argparse.Namespace) -> None:
    """`benchmark leaderboard check`."""
    from benchmark.cli.progress import counting
    from benchmark.finished.labels import ceiling_from, labels_from, votes_from
    from benchmark.leaderboard import check

    root = options.data_root
    with counting("checking records") as report:
        known = labels_from(root), options.workers, report, ceiling_from(root), votes_from(root)
        checked = check(options.dir, *known)
    note(
        f"{len(checked.entries)} records in {options.dir}: every score follows from its predictions "
        f"({len(checked.with_labels)} of them with the labels joined again), every page is current"
    )


def review_changes(options: argparse.Namespace) -> None:
    """`benchmark leaderboard review --base REF`."""
    from benchmark.cli.progress import counting
    from benchmark.finished.labels import labels_from
    from benchmark.leaderboard import review

    with counting("checking records") as report:
        summary = review(options.dir, options.base, labels_from(options.data_root), options.workers, report)
    print(summary, end="")


def export_record(options: argparse.Namespace) -> None:
    """`benchmark leaderboard export --hf RECORD`."""
    from benchmark.leaderboard.model_card import model_card
    from benchmark.leaderboard.rendering import metric_titles

    print(model_card(options.record, metric_titles(), options.url), end="")
    if not options.url:
        note("no source: name the published record with --url, so that readers find it")
