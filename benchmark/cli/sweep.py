"""`benchmark sweep`: a grid of rows from a file or from repeated options, run to one table with paired tests."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.cli.cluster_options import add_cluster_options, cluster_of, submit_workers
from benchmark.cli.output import note, print_json, print_table
from benchmark.cli.run_options import add_run_options, numbers, planning, preset_of, resources_of
from benchmark.errors import UsageError

if TYPE_CHECKING:
    from benchmark.planning.sweep_file import Sweep
    from benchmark.planning.sweep_plan import Choices, Plan

NONE = "none"
# What only a sweep without a file is made of; `--set` and `--seeds` change one that has a file as well.
GRID_OPTIONS = ("protocol", "method", "augment", "labels", "name")


def add_commands(commands: Any) -> None:
    """Declare the commands of this module."""
    add_cluster_options(declare(commands))


def declare(commands: Any) -> argparse.ArgumentParser:
    """Declare `sweep`, as a command of its own or as what workers share."""
    sweep: argparse.ArgumentParser = commands.add_parser(
        "sweep", help="run a grid of methods, augmentations, labels, settings and seeds"
    )
    sweep.add_argument(
        "file", nargs="?", metavar="FILE", help="a sweep file, or the name of one that ships; or give the options below"
    )
    sweep.add_argument("--protocol", action="append", metavar="P", help="repeatable")
    sweep.add_argument("--method", action="append", metavar="M", help="repeatable")
    sweep.add_argument(
        "--augment", action="append", metavar="A[:k=v,...][+A...]", help=f"repeatable: one alternative each, or {NONE}"
    )
    sweep.add_argument("--labels", action="append", choices=("hard", "soft"), help="repeatable")
    sweep.add_argument(
        "--set",
        action="append",
        default=[],
        dest="settings",
        metavar="K=V",
        help="repeatable: the same key again is an alternative; with a file, changes a setting of every row",
    )
    sweep.add_argument("--seeds", type=numbers, metavar="0,1", help="default: the file's, or 0")
    sweep.add_argument("--name", metavar="NAME", help="the table's file name, without a sweep file; default: sweep")
    sweep.add_argument(
        "--init",
        action="append",
        default=[],
        metavar="METHOD:[NAME=]FILE",
        help="repeatable: start this method (or one of its networks) from these weights",
    )
    add_run_options(sweep)
    sweep.set_defaults(function=sweep_command, wait=True)
    return sweep


def sweep_command(options: argparse.Namespace) -> int:
    """`benchmark sweep`: plan, run what is missing, write the table."""
    from benchmark.cli.progress import Terminal
    from benchmark.library.sweep import plan_table, sweep, unfinished_units
    from benchmark.library.track import track
    from benchmark.reports.sweep import sweep_document

    what, choices = _sweep(options), _choices(options)
    where = {"data_root": options.data_root, "demo": options.demo, "runs": options.output}
    cluster = cluster_of(options) if options.wait else None
    with Terminal() as terminal:
        where["watcher"] = terminal
        if options.dry_run:
            _print_plan(*plan_table(what, choices, **where, resources=resources_of(options)), options)
            return 0
        if cluster:
            used = planning(options)
            _, plan = plan_table(what, choices, **where, resources=used, dry=options.print_script)
            return submit_workers(options, cluster, unfinished_units(plan, options.output, used))
        where["watcher"] = track(options.track, options.output, terminal)
        done = sweep(what, choices, **where, resources=resources_of(options), wait=options.wait)
    if options.json:
        print_json(sweep_document(done.sweep, done.rows))
    else:
        print(done.text)
    note(f"table: {done.path}")
    return terminal.exit_code()


def _sweep(options: argparse.Namespace) -> Sweep:
    from benchmark.planning.sweep_file import find_sweep, make_sweep, shipped_sweeps

    if options.file:
        given = [name for name in GRID_OPTIONS if getattr(options, name)]
        if given:
            raise UsageError(f"--{given[0]}: the sweep file says it; leave out the one or the other")
        return find_sweep(options.file)
    if not options.protocol or not options.method:
        raise UsageError(
            f"sweep needs a FILE, or --protocol and --method; files that ship: {', '.join(shipped_sweeps())}"
        )
    augment = [[] if text == NONE else re.split(r"\+(?=[a-z])", text) for text in options.augment or [NONE]]
    grid = {
        "method": options.method,
        "augment": augment,
        "labels": options.labels or ["hard"],
        "set": _alternatives(options.settings),
    }
    value = {"name": options.name or "sweep", "title": "Sweep", "protocols": options.protocol, "grid": grid}
    return make_sweep(value, "sweep")


def _alternatives(settings: list[str]) -> dict[str, list[Any]]:
    from benchmark.planning.settings import parse_settings

    values: dict[str, list[Any]] = {}
    for setting in settings:
        for key, value in parse_settings([setting]).items():
            values.setdefault(key, []).append(value)
    return values


def _choices(options: argparse.Namespace) -> Choices:
    from benchmark.planning.settings import parse_settings
    from benchmark.planning.sweep_plan import Choices

    if options.file and len(parse_settings(options.settings)) < len(options.settings):
        raise UsageError("--set: a key is given twice; alternatives belong into the sweep file")
    return Choices(
        preset=preset_of(options),
        folds=options.folds,
        seeds=options.seeds,
        settings=tuple(options.settings) if options.file else (),
        limit=options.limit,
        init=_init(options.init),
    )


def _init(values: list[str]) -> Mapping[str, Mapping[str, Path]]:
    """Weight files by method and network."""
    from benchmark.units.initial_weights import parse_init

    files: dict[str, list[str]] = {}
    for value in values:
        method, colon, rest = value.partition(":")
        if not colon:
            raise UsageError(f"--init {value}: say which method it is for: METHOD:[NAME=]FILE")
        files.setdefault(method, []).append(rest)
    return {method: parse_init(own) for method, own in files.items()}


def _print_plan(sweep: Sweep, plan: Plan, options: argparse.Namespace) -> None:
    """Every row with its cost, and the sum, in which units that rows share count once."""
    from benchmark.planning.sweep_plan import works_of

    works = works_of(plan, options.output)
    rows = [
        {"row": line.variant.label, "protocol": line.units[0].protocol.name, **asdict(work)} for line, work in works
    ]
    once = list({tuple(unit.identity for unit in line.units): work for line, work in works}.values())
    measured = [work.seconds for work in once if work.seconds is not None]
    total = {
        "units": sum(work.units for work in once),
        "finished": sum(work.finished for work in once),
        "gflops": sum(work.gflops for work in once),
        "seconds": sum(measured) if measured else None,
    }
    if options.json:
        print_json({"sweep": sweep.name, "rows": rows, "total": total, "notes": list(sweep.notes)})
        return
    header = ["row", "protocol", "units", "finished", "preset", "input", "batch", "rate"]
    header += ["train clips", "epochs", "GFLOPs", "seconds so far"]
    print_table([[_shown(value) for value in row.values()] for row in rows], header)
    for line in sweep.notes:
        note(f"note: {line}")
    took = f"; those took {sum(measured):.0f} s" if measured else ""
    note(f"{total['units']} units, {total['finished']} finished, {total['gflops']:.4g} GFLOPs of training in all{took}")


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
