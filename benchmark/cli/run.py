"""`benchmark run`: from a protocol's name to a leaderboard."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from benchmark.cli.cluster_options import add_cluster_options, cluster_of, submit_workers
from benchmark.cli.output import note, print_json, print_table
from benchmark.cli.run_options import add_run_options, numbers, planning, preset_of, resources_of

if TYPE_CHECKING:
    from benchmark.library.run import PlannedUnit
    from benchmark.planning.request import Request


def add_commands(commands: Any) -> None:
    """Declare the commands of this module."""
    add_cluster_options(declare(commands))


def declare(commands: Any) -> argparse.ArgumentParser:
    """Declare `run`, as a command of its own or as what workers share."""
    run: argparse.ArgumentParser = commands.add_parser(
        "run", help="train, select, predict and score under a protocol; resumes by itself"
    )
    run.add_argument("--protocol", required=True, metavar="P", help="a name from `benchmark list protocols`, or a file")
    run.add_argument("--method", action="append", metavar="M", help="repeatable; default: every method")
    run.add_argument("--augment", action="append", default=[], metavar="A[:k=v,...]", help="repeatable; in this order")
    run.add_argument("--labels", choices=("hard", "soft"), help="learn from labels or from votes; default: hard")
    run.add_argument("--seeds", type=numbers, default=(0,), metavar="0,1", help="default: 0")
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
    run.set_defaults(function=run_command, wait=True)
    return run


def run_command(options: argparse.Namespace) -> int:
    """`benchmark run`."""
    from benchmark.cli.progress import Terminal
    from benchmark.leaderboard import page_of, terminal_table
    from benchmark.library.run import plan, run
    from benchmark.library.track import track

    request = _request(options)
    where = {"data_root": options.data_root, "demo": options.demo, "runs": options.output}
    cluster = cluster_of(options) if options.wait else None
    with Terminal() as terminal:
        if options.dry_run:
            _print_plan(plan(request, **where, resources=resources_of(options), watcher=terminal), options)
            return 0
        if cluster:
            planned = plan(request, **where, resources=planning(options), watcher=terminal, dry=options.print_script)
            return submit_workers(options, cluster, sum(not each.finished for each in planned))
        watcher = track(options.track, options.output, terminal)
        records = run(request, **where, resources=resources_of(options), watcher=watcher, wait=options.wait)
    if options.json:
        print_json([record.canonical() for record in records])
    elif records:
        print(terminal_table(records))
    if records:
        note(f"leaderboard: {options.output / page_of(records[-1])}")
    return terminal.exit_code()


def _request(options: argparse.Namespace) -> Request:
    from benchmark.planning.request import Request, Variant, parse_augmentation
    from benchmark.registry import registry
    from benchmark.units.initial_weights import parse_init

    variants: tuple[Variant, ...] = ()
    if options.method or options.augment or options.labels or not options.demo:
        augmentations = tuple(map(parse_augmentation, options.augment))
        methods = dict.fromkeys(options.method or sorted(registry().methods))
        variants = tuple(Variant(method, augmentations, options.labels or "hard") for method in methods)
    return Request(
        protocol=options.protocol,
        variants=variants,
        preset=preset_of(options),
        folds=options.folds,
        seeds=options.seeds,
        settings=tuple(options.settings),
        unofficial=options.unofficial,
        limit=options.limit,
        views=options.views,
        init=parse_init(options.init),
    )


def _print_plan(planned: list[PlannedUnit], options: argparse.Namespace) -> None:
    rows = [
        {
            "unit": str(each.unit.folder),
            "identity": each.unit.identity[:12],
            "to do": "finished" if each.finished else "yes",
        }
        for each in planned
    ]
    if options.json:
        print_json(rows)
    else:
        print_table([list(row.values()) for row in rows], list(rows[0]))
        note(f"{len(planned)} units, {sum(not each.finished for each in planned)} to do")
