"""`benchmark.run`: from a request to the records of its rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.errors import UsageError
from benchmark.leaderboard import overview
from benchmark.locks import exclusive
from benchmark.planning.data import default_root
from benchmark.planning.demo import datasets_of, demo_data, demo_variants
from benchmark.planning.request import Request, UnitGroup, Variant, check_request, plan_run, resolve_protocol
from benchmark.planning.starting_weights import from_scratch
from benchmark.protocol import Protocol
from benchmark.records import Record
from benchmark.registry import registry
from benchmark.running.groups import check_group, run_groups, write_records
from benchmark.running.machine import Resources
from benchmark.units.unit import Unit
from benchmark.watcher import Watcher

RUNS = Path("runs")
# Seconds in which other workers will have written their records.
WRITING = 3600.0


@dataclass(frozen=True)
class PlannedUnit:
    """A unit, and whether it is finished already."""

    unit: Unit
    finished: bool


def run(
    request: Request,
    *,
    data_root: Path | str | None = None,
    demo: bool = False,
    runs: Path | str = RUNS,
    resources: Resources | None = None,
    watcher: Watcher | None = None,
    wait: bool = True,
) -> list[Record]:
    """Train, select, predict and score what is missing of the request's units; the records of its rows.

    A unit that is finished in `runs` is not run again, one that was interrupted continues; a unit that fails costs only
    itself, and is told of by the watcher (`failed`) and in its record. Under a cross-dataset protocol the records of
    what it trains on are written too, and the ones returned are its own. With `views` each row has two, the second one
    of testing over several views.

    request: without variants it is every method, or with `demo` the demo's rows. data_root: where the datasets lie, by
    default `$BENCHMARK_DATA_ROOT`. demo: on synthetic data, made now, whose results are marked for good. wait: until
    units that other workers hold are finished as well; without it they are left to those, and their rows, whose records
    the last worker writes, are not among the ones returned.

    Raises UsageError for a request that cannot be run, EnvironmentProblem for missing data or devices, IntegrityError
    for files that contradict what is known of them; nothing that is finished is lost.
    """
    watcher, place = watcher or Watcher(), Path(runs)
    chosen = resources or Resources()
    groups = _groups(request, data_root, demo, watcher)
    left = run_groups([(g, check_group(g, place, chosen, watcher)) for g in groups], place, chosen, watcher, wait)
    with exclusive(place, WRITING):
        records = [write_records(group.units, group.data, place, watcher, left) for group in groups]
        overview(place)
    # With views the same checkpoints are tested twice.
    return [record for found in records[-2 if request.views else -1 :] for record in found]


def plan(
    request: Request,
    *,
    data_root: Path | str | None = None,
    demo: bool = False,
    runs: Path | str = RUNS,
    resources: Resources | None = None,
    watcher: Watcher | None = None,
    dry: bool = True,
) -> list[PlannedUnit]:
    """The units that `run` would run, in its order; refuses what it would refuse.

    dry: nothing on disk is changed; else older work (`Resources.changed`) is settled as `run` does it.
    """
    watcher = watcher or Watcher()
    planned: list[PlannedUnit] = []
    for group in _groups(request, data_root, demo, watcher):
        todo = {unit.identity for unit in check_group(group, Path(runs), resources or Resources(), watcher, dry)}
        planned += [PlannedUnit(unit, unit.identity not in todo) for unit in group.units]
    return planned


def _groups(request: Request, data_root: Path | str | None, demo: bool, watcher: Watcher) -> list[UnitGroup]:
    if not request.variants:
        every = tuple(Variant(name) for name in sorted(registry().methods))
        request = dataclasses.replace(request, variants=demo_variants(request.protocol) if demo else every)
    check_request(request)
    protocol = resolve_protocol(request)
    groups = plan_run(request, protocol, find_data([protocol], data_root, demo, watcher))
    for line in from_scratch(unit for group in groups for unit in group.units):
        watcher.note(line)
    return groups


def find_data(protocols: Sequence[Protocol], data_root: Path | str | None, demo: bool, watcher: Watcher) -> Path | None:
    """Where the protocols' datasets lie; those of the demo are made first."""
    if not demo:
        return default_root(Path(data_root) if data_root else None)
    if data_root:
        raise UsageError("--demo makes its own data; leave out --data-root")
    return demo_data(datasets_of(protocols), watcher)
