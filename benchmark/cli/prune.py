"""`benchmark prune`: free the disk space that finished work no longer needs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmark.cli.output import add_json, note, print_json, print_table


def add_commands(commands: Any) -> None:
    """Declare the commands of this module."""
    prune = commands.add_parser("prune", help="free disk space that finished work no longer needs")
    prune.add_argument(
        "places", nargs="*", type=Path, metavar="RUNS", help="folders of runs or pre-trainings; default: both"
    )
    prune.add_argument("--dry-run", action="store_true", help="only say what would go")
    add_json(prune)
    prune.set_defaults(function=prune_runs)


def prune_runs(options: argparse.Namespace) -> None:
    """`benchmark prune [RUNS ...]`."""
    from benchmark.cli.progress import Terminal
    from benchmark.library.prune import prune

    with Terminal() as watcher:
        pruned = prune(options.places, dry=options.dry_run, watcher=watcher)
    if options.json:
        removed = [{"path": str(each.path), "why": each.why, "bytes": each.bytes} for each in pruned.removed]
        left = [{"path": str(path), "why": why} for path, why in pruned.left]
        print_json({"removed": removed, "left": left, "bytes": pruned.bytes, "dry_run": options.dry_run})
        return
    if pruned.removed:
        rows = [[f"{each.bytes / 2**20:,.1f}", each.why, each.path] for each in pruned.removed]
        print_table(rows, ["MiB", "why", "path"])
    for path, why in pruned.left:
        note(f"left: {path}: {why}")
    print(f"{'would free' if options.dry_run else 'freed'} {pruned.bytes / 2**20:,.1f} MiB")
