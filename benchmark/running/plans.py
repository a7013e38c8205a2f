"""What was planned: so that others can tell which units nobody has begun."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark.files import hash_value, read_json, write_json
from benchmark.units.unit import Unit

PLANS = ".plans"


def remember(units: Sequence[Unit], runs: Path) -> None:
    """Write down the folders of units that are to be run; the same units give the same file."""
    folders = [unit.folder.as_posix() for unit in units]
    path = runs / PLANS / f"{hash_value(folders)[:16]}.json"
    if folders and not path.is_file():
        write_json(path, folders)


def remembered(runs: Path) -> list[Path]:
    """The folders of every unit that was planned, relative to `runs`."""
    plans = [read_json(path) for path in sorted((runs / PLANS).glob("*.json"))]
    return sorted({Path(str(folder)) for plan in plans if isinstance(plan, list) for folder in plan})
