"""`benchmark leaderboard ...`: publish a record, render the pages, verify everything."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmark.cli.output import note


def add_commands(commands: Any) -> None:
    """Declare the commands of this module."""
    board = commands.add_parser("leaderboard", help="publish records and verify what is published")
    actions = board.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=type(board))
    for name, function, text in (
        ("add", add_entry, "verify a run's record, copy it with its predictions, render the pages"),
        ("build", build_pages, "render the pages from the records"),
        ("check", check_entries, "recompute every score, compare every page; exit 4 at the first difference"),
    ):
        action = actions.add_parser(name, help=text)
        if name == "add":
            action.add_argument("run", type=Path, metavar="RUN", help="a record.json, or the folder that holds it")
        action.add_argument("--dir", type=Path, default=Path("leaderboard"), metavar="DIR", help="default: leaderboard")
        action.set_defaults(function=function)


def add_entry(options: argparse.Namespace) -> None:
    """`benchmark leaderboard add RUN`."""
    from benchmark.leaderboard import add, build

    entry = add(options.run, options.dir)
    build(options.dir)
    note(f"added {options.dir / entry.path}")


def build_pages(options: argparse.Namespace) -> None:
    """`benchmark leaderboard build`."""
    from benchmark.leaderboard import build

    for path in build(options.dir):
        note(f"wrote {path}")


def check_entries(options: argparse.Namespace) -> None:
    """`benchmark leaderboard check`."""
    from benchmark.leaderboard import check

    entries = check(options.dir)
    note(f"{len(entries)} records in {options.dir}: every score follows from its predictions, every page is current")
