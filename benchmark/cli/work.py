"""`benchmark work`: one of many workers that share a run or a sweep."""

from __future__ import annotations

from typing import Any

from benchmark.cli import run, sweep


def add_commands(commands: Any) -> None:
    """Declare the commands of this module."""
    work = commands.add_parser(
        "work",
        help="be one of many workers of a run or a sweep: take one free unit after the other",
        description="Takes one unit after the other that no other worker holds, on this machine or another with the "
        "same files, until none is left. What other workers hold is left to them; the last one writes the records.",
    )
    plans = work.add_subparsers(required=True, metavar="run|sweep", parser_class=type(work))
    for module in (run, sweep):
        module.declare(plans).set_defaults(wait=False)
