"""`benchmark run`: from a protocol's name to a leaderboard."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.cli.exchange import warn_of_exchange
from benchmark.cli.output import add_json, note, positive, print_json, print_table
from benchmark.errors import UsageError
from benchmark.registry import registry
from benchmark.specs import LabelMode

if TYPE_CHECKING:
    from benchmark.protocol import Protocol
    from benchmark.run.data import Data
    from benchmark.run.execute import Machine
    from benchmark.run.plan import Request
    from benchmark.run.units import Unit

# The demo: three kinds of model, and one of them again with votes and mixing.
DEMO_ROWS: tuple[tuple[str, tuple[str, ...], LabelMode], ...] = (
    ("tsm", (), "hard"),
    ("former-dfer", (), "hard"),
    ("videomae", (), "hard"),
    ("videomae", ("midas",), "soft"),
)

# Units at a time on a processor, if nothing else is asked for.
MOST_JOBS = 4


def add_commands(commands: Any) -> None:
    """Declare the commands of this module."""
    run = commands.add_parser("run", help="train, select, predict and score under a protocol; resumes by itself")
    run.add_argument("--protocol", required=True, metavar="P", help="a name from `benchmark list protocols`, or a file")
    run.add_argument("--method", action="append", metavar="M", help="repeatable; default: every method")
    run.add_argument("--augment", action="append", default=[], metavar="A[:k=v,...]", help="repeatable; in this order")
    run.add_argument("--labels", choices=("hard", "soft"), help="learn from labels or from votes; default: hard")
    run.add_argument("--folds", type=_numbers, metavar="1-5", help="default: all of the protocol's folds")
    run.add_argument("--seeds", type=_numbers, default=(0,), metavar="0,1")
    run.add_argument("--preset", metavar="NAME", help="paper (default) or small (default with --demo)")
    run.add_argument("--data-root", type=Path, metavar="DIR", help="where the datasets lie; or BENCHMARK_DATA_ROOT")
    run.add_argument(
        "--init",
        action="append",
        default=[],
        metavar="[NAME=]FILE",
        help="start from these weights, official or ours; repeatable: one file for each network of the method",
    )
    run.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda or cuda:N")
    run.add_argument("--workers", type=int, help="processes that read clips; default: by device and cores")
    run.add_argument("--jobs", type=positive, metavar="N", help="units at a time; default: by device and cores")
    run.add_argument("--set", action="append", default=[], dest="settings", metavar="K=V", help="change a setting")
    run.add_argument("--unofficial", action="store_true", help="allow --set protocol.<key>=...; never ranked")
    run.add_argument(
        "--limit", type=positive, metavar="N", help="at most N clips per split, to try things; never ranked"
    )
    run.add_argument("--demo", action="store_true", help="on synthetic data, made here, with the small presets")
    run.add_argument("--dry-run", action="store_true", help="print the units and stop")
    run.add_argument("-o", "--output", type=Path, default=Path("runs"), metavar="DIR", help="default: runs")
    add_json(run)
    run.set_defaults(function=run_command)


def _numbers(text: str) -> tuple[int, ...]:
    """`1-3,5` as (1, 2, 3, 5)."""
    numbers: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        try:
            numbers += range(int(first), int(last or first) + 1)
        except ValueError:
            raise argparse.ArgumentTypeError(f"'{text}' is not like 1-5 or 0,1") from None
    if not numbers:
        raise argparse.ArgumentTypeError(f"'{text}' names nothing")
    return tuple(dict.fromkeys(numbers))


def run_command(options: argparse.Namespace) -> int:
    """`benchmark run`: one stage, or two when a cross-dataset protocol needs units of another protocol first."""
    from benchmark.cli.demo import demo_data
    from benchmark.run.data import default_root, load_data
    from benchmark.run.plan import check_request, make_units, resolve_protocol, stages

    request = _request(options)
    check_request(request)
    protocol = resolve_protocol(request)
    if options.demo and options.data_root:
        raise UsageError("--demo makes its own data; leave out --data-root")
    root = demo_data(_datasets(protocol)) if options.demo else default_root(options.data_root)
    votes = any(row.labels == "soft" for row in request.rows)
    plan: list[tuple[Protocol, Data, list[Unit]]] = []
    for stage in stages(protocol):
        data = load_data(stage, root, votes)
        plan.append((stage, data, make_units(request, stage, data, plan[-1][2] if plan else ())))
    if options.dry_run:
        _print_plan([unit for *_, units in plan for unit in units], options)
        return 0
    outcomes = [_run_stage(*stage, options) for stage in plan]
    return max(_report(*stage, options, last=stage is outcomes[-1]) for stage in outcomes)


def _run_stage(
    protocol: Protocol, data: Data, units: list[Unit], options: argparse.Namespace
) -> tuple[list[Unit], list[tuple[Unit, str]], Data]:
    from benchmark.run.data import check_frames
    from benchmark.run.run import unfinished

    todo = unfinished(units, options.output)
    if todo and protocol.frames.unreadable == "fail":
        check_frames(data, protocol)
    if data.synthetic:
        note(f"SYNTHETIC DATA in {data.root}: these numbers say nothing about real faces")
    for deviation in data.deviations:
        note(f"warning: {deviation}; the record will not be ranked")
    return units, _run(units, todo, data, options) if todo else [], data


def _request(options: argparse.Namespace) -> Request:
    from benchmark.run.init import parse_init
    from benchmark.run.plan import Request, Row, find_protocol, parse_augmentation

    init = parse_init(options.init)
    chosen = options.method or options.augment or options.labels
    if options.demo and not chosen:
        votes = registry().find("datasets", find_protocol(options.protocol).dataset).votes
        chosen_rows = [row for row in DEMO_ROWS if votes or row[2] == "hard"]
        rows = [Row(m, tuple(map(parse_augmentation, a)), labels) for m, a, labels in chosen_rows]
    else:
        augmentations = tuple(map(parse_augmentation, options.augment))
        methods = dict.fromkeys(options.method or sorted(registry().methods))
        rows = [Row(method, augmentations, options.labels or "hard") for method in methods]
    return Request(
        protocol=options.protocol,
        rows=tuple(rows),
        preset=options.preset or ("small" if options.demo else "paper"),
        folds=options.folds,
        seeds=options.seeds,
        settings=tuple(options.settings),
        unofficial=options.unofficial,
        limit=options.limit,
        init=init,
    )


def _datasets(protocol: Protocol) -> tuple[str, ...]:
    return (protocol.dataset, protocol.test_on.dataset) if protocol.test_on else (protocol.dataset,)


def _print_plan(units: Sequence[Unit], options: argparse.Namespace) -> None:
    from benchmark.run.run import unfinished

    waiting = {unit.identity for unit in unfinished(units, options.output)}
    rows = [
        {
            "unit": str(unit.folder),
            "identity": unit.identity[:12],
            "to do": "yes" if unit.identity in waiting else "finished",
        }
        for unit in units
    ]
    if options.json:
        print_json(rows)
    else:
        print_table([list(row.values()) for row in rows], list(rows[0]))
        note(f"{len(units)} units, {len(waiting)} to do")


def _run(
    units: Sequence[Unit], todo: Sequence[Unit], data: Data, options: argparse.Namespace
) -> list[tuple[Unit, str]]:
    """Run what is missing. Only now is torch imported."""
    from benchmark.cli.progress import RunProgress
    from benchmark.run.execute import Machine
    from benchmark.run.init import parse_init
    from benchmark.run.run import run_units
    from benchmark.training.config import build_config, chosen_preset
    from benchmark.training.unit import use_device
    from benchmark.video.cache import cache_folder

    cores = os.cpu_count() or 1
    on_cpu = use_device(options.device, cores) == "cpu"
    # One unit keeps an accelerator busy, while small models leave most of a processor idle. Neither number may depend
    # on how much is left to do: with other threads a resumed unit would differ in its last digits.
    jobs = options.jobs or (min(cores, MOST_JOBS) if on_cpu else 1)
    workers = options.workers if options.workers is not None else (0 if on_cpu else min(8, cores - 1))
    machine = Machine(
        runs=options.output,
        dataset_root=data.root,
        test_root=data.test_root,
        cache=cache_folder() / "frames",
        device=options.device,
        threads=max(cores // jobs, 1),
        workers=workers,
        init=parse_init(options.init),
    )
    # Refuse what does not fit together before the first hour is spent.
    epochs = {}
    for unit in todo:
        if unit.row not in epochs:
            build_config(unit, options.output / unit.folder, data.root, data.test_root, machine.cache, workers)
            method = registry().find("methods", unit.method)
            epochs[unit.row] = chosen_preset(method, unit.preset, unit.overrides).epochs
            if machine.init and unit.source is None:
                _try_initial(unit, machine)
    note(f"{len(units)} units, {len(units) - len(todo)} finished before; results in {options.output}")
    with RunProgress(len(todo), epochs, units[0].protocol.selection.metric) as progress:
        return run_units(todo, data, machine, progress, jobs).failed


def _try_initial(unit: Unit, machine: Machine) -> None:
    """Say what of the initial weights does not fit, once for all units of a row; their logs name every tensor."""
    from benchmark.training.initial import try_initial

    for network, report in try_initial(unit, machine).items():
        note(f"{unit.row}: {network} starts from {machine.init[network]}: {report.summary}")


def _report(
    units: Sequence[Unit], failed: Sequence[tuple[Unit, str]], data: Data, options: argparse.Namespace, last: bool
) -> int:
    """Write a stage's records; after the last one, render the pages over everything and print its table."""
    from benchmark.leaderboard import overview, table
    from benchmark.records import RECORD, write_record
    from benchmark.run.record import make_record

    records = []
    for folder in dict.fromkeys(options.output / unit.record_folder for unit in units):
        record = make_record(folder, data)
        write_record(folder / RECORD, record)
        note(f"record: {folder / RECORD}")
        records.append(record)
        warn_of_exchange(record)
    for unit, reason in failed:
        note(f"failed: {unit.folder}: {reason}")
    if last:
        overview(options.output)
        if options.json:
            print_json([record.canonical() for record in records])
        else:
            print(table(records))
        note(f"leaderboard: {options.output / ('SYNTHETIC.md' if data.synthetic else 'README.md')}")
    if failed:
        note(f"{len(failed)} of {len(units)} units failed; the same command tries them again")
    return 1 if failed else 0
