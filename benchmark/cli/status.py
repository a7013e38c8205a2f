"""`benchmark status`: how far the units of a run are."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.cli.output import add_json, note, print_json, print_table

if TYPE_CHECKING:
    from benchmark.library.status import UnitStatus


def add_commands(commands: Any) -> None:
    """Declare the commands of this module."""
    status = commands.add_parser("status", help="how far every unit is, who is at it, and how long it will take")
    status.add_argument("run", nargs="?", type=Path, default=Path("runs"), metavar="RUN", help="default: runs")
    add_json(status)
    status.set_defaults(function=show_status)


def show_status(options: argparse.Namespace) -> None:
    """`benchmark status [RUN]`."""
    from benchmark.library.status import status

    found = status(options.run)
    rows = [_row(unit) for unit in found.units]
    if options.json:
        print_json({"units": rows, "workers": found.workers, "left": found.seconds})
        return
    if not rows:
        print(f"no units in {options.run}")
        return
    print_table([[_shown(name, value) for name, value in row.items()] for row in rows], list(rows[0]))
    finished = sum(unit.status == "scored" for unit in found.units)
    left = "" if finished == len(rows) else f"; about {_time(found.seconds)} left"
    note(f"{finished} of {len(rows)} units finished, {found.workers} at work{left}")


def _row(unit: UnitStatus) -> dict[str, Any]:
    """A unit's line; times in seconds, `since` in seconds since the epoch."""
    holder = unit.holder
    return {
        "unit": str(unit.folder),
        "status": unit.status,
        "epoch": unit.epoch,
        "epochs": unit.epochs,
        "attempts": unit.attempts,
        "held by": None if holder is None else f"{holder.pid}@{holder.host}{'' if unit.at_work else ' (dead?)'}",
        "since": holder.since if holder else None,
        "last sign of life": unit.silent,
        "left": unit.seconds,
        "error": unit.error or "",
    }


def _shown(name: str, value: Any) -> str:
    if value is None:
        return "-"
    if name == "since":
        return time.strftime("%m-%d %H:%M", time.localtime(value))
    if name == "last sign of life":
        return f"{_time(value)} ago"
    return _time(value) if name == "left" else str(value)


def _time(seconds: float | None) -> str:
    """A length of time for a person: `40 s`, `12 min`, `3.5 h`."""
    if seconds is None:
        return "an unknown time"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
