"""`benchmark run`: from a protocol's name to a leaderboard."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from benchmark.cli.output import note, print_json, print_table
from benchmark.cli.stages import (
    Failed,
    add_run_options,
    check_stage,
    data_root,
    numbers,
    preset_of,
    run_stage,
    write_records,
)
from benchmark.registry import registry
from benchmark.specs import LabelMode

if TYPE_CHECKING:
    from benchmark.planning.data import Data
    from benchmark.planning.request import Request
    from benchmark.protocol import Protocol
    from benchmark.units.unit import Unit

# The demo: three kinds of model, and one of them again with votes and mixing.
DEMO_ROWS: tuple[tuple[str, tuple[str, ...], LabelMode], ...] = (
    ("tsm", (), "hard"),
    ("former-dfer", (), "hard"),
    ("videomae", (), "hard"),
    ("videomae", ("midas",), "soft"),
)


def add_commands(commands: Any) -> None:
    """Declare the commands of this module."""
    run = commands.add_parser("run", help="train, select, predict and score under a protocol; resumes by itself")
    run.add_argument("--protocol", required=True, metavar="P", help="a name from `benchmark list protocols`, or a file")
    run.add_argument("--method", action="append", metavar="M", help="repeatable; default: every method")
    run.add_argument("--augment", action="append", default=[], metavar="A[:k=v,...]", help="repeatable; in this order")
    run.add_argument("--labels", choices=("hard", "soft"), help="learn from labels or from votes; default: hard")
    run.add_argument("--seeds", type=numbers, default=(0,), metavar="0,1")
    run.add_argument(
        "--init",
        action="append",
        default=[],
        metavar="[NAME=]FILE",
        help="start from these weights, official or ours; repeatable: one file for each network of the method",
    )
    run.add_argument(
        "--views", choices=("official",), help="also test as the official code does, over several views; never ranked"
    )
    run.add_argument("--set", action="append", default=[], dest="settings", metavar="K=V", help="change a setting")
    run.add_argument("--unofficial", action="store_true", help="allow --set protocol.<key>=...; never ranked")
    add_run_options(run)
    run.set_defaults(function=run_command)


def run_command(options: argparse.Namespace) -> int:
    """`benchmark run`: one stage, or two when a cross-dataset protocol needs units of another protocol first."""
    from benchmark.planning.data import load_data
    from benchmark.planning.request import check_request, make_units, protocols_to_run, resolve_protocol

    request = _request(options)
    check_request(request)
    protocol = resolve_protocol(request)
    root = data_root(options, [protocol])
    votes = any(row.labels == "soft" for row in request.rows)
    plan: list[tuple[Protocol, Data, list[Unit]]] = []
    for stage in protocols_to_run(protocol):
        data = load_data(stage, root, votes)
        plan.append((stage, data, make_units(request, stage, data, plan[-1][2] if plan else ())))
    if request.views:
        # Beside the row that is tested as the protocol says: the same checkpoints, looked at otherwise.
        units = make_units(request, protocol, plan[-1][1], plan[0][2], request.views)
        plan.append((protocol, plan[-1][1], units))
    todo = [check_stage(*stage, request.init, options) for stage in plan]
    if options.dry_run:
        _print_plan(
            [unit for *_, units in plan for unit in units], {u.identity for left in todo for u in left}, options
        )
        return 0
    failed = [
        run_stage(data, units, left, request.init, options) for (_, data, units), left in zip(plan, todo, strict=True)
    ]
    outcomes = [(units, failures, data) for (_, data, units), failures in zip(plan, failed, strict=True)]
    return max(_report(*stage, options, last=stage is outcomes[-1]) for stage in outcomes)


def _request(options: argparse.Namespace) -> Request:
    from benchmark.planning.request import Request, Variant, find_protocol, parse_augmentation
    from benchmark.units.initial_weights import parse_init

    init = parse_init(options.init)
    chosen = options.method or options.augment or options.labels
    if options.demo and not chosen:
        votes = registry().find("datasets", find_protocol(options.protocol).dataset).votes
        chosen_rows = [row for row in DEMO_ROWS if votes or row[2] == "hard"]
        rows = [Variant(m, tuple(map(parse_augmentation, a)), labels) for m, a, labels in chosen_rows]
    else:
        augmentations = tuple(map(parse_augmentation, options.augment))
        methods = dict.fromkeys(options.method or sorted(registry().methods))
        rows = [Variant(method, augmentations, options.labels or "hard") for method in methods]
    return Request(
        protocol=options.protocol,
        rows=tuple(rows),
        preset=preset_of(options),
        folds=options.folds,
        seeds=options.seeds,
        settings=tuple(options.settings),
        unofficial=options.unofficial,
        limit=options.limit,
        views=options.views,
        init=init,
    )


def _print_plan(units: Sequence[Unit], waiting: Collection[str], options: argparse.Namespace) -> None:
    """waiting: identities of the units that still have something to do."""
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


def _report(units: Sequence[Unit], failed: Failed, data: Data, options: argparse.Namespace, last: bool) -> int:
    """Write a stage's records; after the last one, render the pages over everything and print its table."""
    from benchmark.leaderboard import overview, table

    records = write_records(units, failed, data, options.output)
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
