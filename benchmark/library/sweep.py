"""`benchmark.sweep`: a grid of rows, run to one table with paired tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmark.files import write_text
from benchmark.finished.sweep_table import ScoredRow, table_rows
from benchmark.leaderboard import overview
from benchmark.library.run import RUNS, WRITING, find_data
from benchmark.locks import exclusive
from benchmark.planning.starting_weights import from_scratch
from benchmark.planning.sweep_file import Sweep, find_sweep
from benchmark.planning.sweep_plan import Choices, Plan, plan_sweep, sweep_protocols
from benchmark.reports.sweep import sweep_text
from benchmark.running.groups import check_group, run_groups, write_records
from benchmark.running.machine import Resources
from benchmark.units.state import unfinished
from benchmark.watcher import Watcher

FOLDER = "sweeps"


@dataclass(frozen=True)
class SweepTable:
    """A sweep's finished table.

    rows: in the order of the sweep; the record of one lies in `runs / row.planned.units[0].record_folder`. text: the
    table as markdown, which is also what `path` holds.
    """

    sweep: Sweep
    rows: tuple[ScoredRow, ...]
    text: str
    path: Path


def sweep(
    what: Sweep | str | Path,
    choices: Choices | None = None,
    *,
    data_root: Path | str | None = None,
    demo: bool = False,
    runs: Path | str = RUNS,
    resources: Resources | None = None,
    watcher: Watcher | None = None,
    wait: bool = True,
) -> SweepTable:
    """Run what is missing of a sweep's rows, and put all that is finished into its table.

    what: a sweep, the path of a sweep file, or the name of one that ships. choices: what is chosen for all of its rows.
    The rest is as for `benchmark.run`.
    """
    watcher, place = watcher or Watcher(), Path(runs)
    used = resources or Resources()
    chosen, planned = _planned(what, choices, data_root, demo, watcher)
    todo = [(group, check_group(group, place, used, watcher)) for group in planned.groups]
    left = run_groups(todo, place, used, watcher, wait)
    with exclusive(place, WRITING):
        for group in planned.groups:
            write_records(group.units, group.data, place, watcher, left)
        overview(place)
        rows = tuple(table_rows(chosen, planned.rows, place))
        text = sweep_text(chosen, rows)
        path = place / FOLDER / f"{chosen.name}.md"
        write_text(path, text + "\n")
    return SweepTable(chosen, rows, text, path)


def plan_table(
    what: Sweep | str | Path,
    choices: Choices | None = None,
    *,
    data_root: Path | str | None = None,
    demo: bool = False,
    runs: Path | str = RUNS,
    resources: Resources | None = None,
    watcher: Watcher | None = None,
    dry: bool = True,
) -> tuple[Sweep, Plan]:
    """The sweep, and its rows as `sweep` would run them; refuses what it would refuse. dry: as for `plan`."""
    watcher = watcher or Watcher()
    chosen, planned = _planned(what, choices, data_root, demo, watcher)
    for group in planned.groups:
        check_group(group, Path(runs), resources or Resources(), watcher, dry)
    return chosen, planned


def unfinished_units(planned: Plan, runs: Path | str, resources: Resources) -> int:
    """How many units of a sweep still have something to do."""
    return sum(len(unfinished(group.units, Path(runs), resources.changed, dry=True)) for group in planned.groups)


def _planned(
    what: Sweep | str | Path, choices: Choices | None, data_root: Path | str | None, demo: bool, watcher: Watcher
) -> tuple[Sweep, Plan]:
    chosen = what if isinstance(what, Sweep) else find_sweep(str(what))
    root = find_data(sweep_protocols(chosen), data_root, demo, watcher)
    plan = plan_sweep(chosen, choices or Choices(), root)
    for line in from_scratch(unit for group in plan.groups for unit in group.units):
        watcher.note(line)
    return chosen, plan
