"""`benchmark status`: how far the units of a run are."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from benchmark.cli.output import add_json, print_json, print_table
from benchmark.errors import UsageError


def add_commands(commands: Any) -> None:
    """Declare the commands of this module."""
    status = commands.add_parser("status", help="how far every unit is")
    status.add_argument("run", nargs="?", type=Path, default=Path("runs"), metavar="RUN", help="default: runs")
    add_json(status)
    status.set_defaults(function=show_status)


def show_status(options: argparse.Namespace) -> None:
    """`benchmark status [RUN]`."""
    from benchmark.units.state import STATE, read_state

    if not options.run.is_dir():
        raise UsageError(f"{options.run}: no such folder of runs")
    rows = []
    for path in sorted(options.run.rglob(STATE)):
        state = read_state(path.parent)
        assert state is not None
        rows.append(
            {
                "unit": str(path.parent.relative_to(options.run)),
                "status": state.status,
                "epoch": state.epoch,
                "attempts": state.attempts,
                "last sign of life": f"{time.time() - state.heartbeat:.0f} s ago",
                "error": state.error or "",
            }
        )
    if options.json:
        print_json(rows)
    elif rows:
        print_table([list(row.values()) for row in rows], list(rows[0]))
    else:
        print(f"no units in {options.run}")
