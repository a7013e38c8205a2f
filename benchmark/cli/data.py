"""`benchmark data ...`: what is known of a dataset, checking one on disk, making a synthetic stand-in."""

from __future__ import annotations

import argparse
import dataclasses
import os
from pathlib import Path
from typing import Any

from benchmark.cli.output import add_json, note, positive, print_json, print_table
from benchmark.errors import UsageError
from benchmark.registry import registry
from benchmark.specs import load_object


def add_commands(commands: Any) -> None:
    """Declare the commands of this module."""
    data = commands.add_parser("data", help="check a dataset on disk, or make a synthetic one")
    actions = data.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=type(data))

    lister = actions.add_parser("list", help="datasets, how they are obtained and under which terms")
    add_json(lister)
    lister.set_defaults(function=list_datasets)

    check = actions.add_parser("check", help="compare counts with the known ones and decode every clip")
    check.add_argument("name")
    check.add_argument("--root", type=Path, required=True, metavar="DIR")
    check.add_argument("--source", action="append", metavar="NAME", help="frame source to decode; default: all present")
    check.add_argument("--workers", type=positive, default=os.cpu_count() or 1)
    add_json(check)
    check.set_defaults(function=check_data)

    synthesize = actions.add_parser("synthesize", help="write a synthetic stand-in in the dataset's own tree")
    synthesize.add_argument("name")
    synthesize.add_argument("out", type=Path)
    synthesize.add_argument("--clips", type=positive, default=420)
    synthesize.add_argument("--seed", type=int, default=0)
    synthesize.set_defaults(function=synthesize_data)


def list_datasets(options: argparse.Namespace) -> None:
    """`benchmark data list`."""
    layouts = registry().datasets.values()
    if options.json:
        keys = ("name", "title", "citation", "licence", "obtain", "tree", "classes", "frame_sources")
        print_json([{key: getattr(layout, key) for key in keys} for layout in layouts])
        return
    print_table(
        [[layout.name, layout.title, layout.licence, ", ".join(layout.frame_sources)] for layout in layouts],
        ["name", "title", "licence", "frame sources"],
    )
    note("`benchmark show NAME` prints the expected tree and how to obtain it")


def check_data(options: argparse.Namespace) -> int:
    """`benchmark data check NAME --root DIR`."""
    from benchmark.cli.progress import counting
    from benchmark.datasets.check import check_dataset
    from benchmark.datasets.synthetic import MARKER
    from benchmark.run.plan import find_root

    layout = registry().find("datasets", options.name)
    root = find_root(layout, options.root)
    unknown = sorted(set(options.source or ()) - set(layout.frame_sources))
    if unknown:
        raise UsageError(f"{layout.name} has no frame source {unknown}; it has: {', '.join(layout.frame_sources)}")
    clips = load_object(layout.read)(root, False)
    present = [name for name in layout.frame_sources if any((root / clip.frames[name]).exists() for clip in clips)]
    with counting(f"decoding {layout.name}") as report:
        result = check_dataset(
            layout, root, options.source or present, (root / MARKER).is_file(), options.workers, report
        )
    if not (options.source or present):
        result.problems.append(f"no clip has frames in any of: {', '.join(layout.frame_sources)}")
    if options.json:
        print_json(dataclasses.asdict(result))
    else:
        rows = [
            [fold, part, facts["clips"], *facts["per_class"].values()]
            for fold, parts in result.folds.items()
            for part, facts in parts.items()
        ]
        print_table(rows, ["fold", "part", "clips", *layout.classes])
        for problem in result.problems:
            print(f"PROBLEM: {problem}")
        verdict = f"{len(result.problems)} problems" if result.problems else "everything holds"
        print(f"{result.clips} clips in {root}{' (synthetic)' if result.synthetic else ''}: {verdict}")
    return 4 if result.problems else 0


def synthesize_data(options: argparse.Namespace) -> None:
    """`benchmark data synthesize NAME OUT`."""
    from benchmark.cli.progress import counting

    layout = registry().find("datasets", options.name)
    with counting(f"synthesizing {layout.name}") as report:
        load_object(layout.synthesize)(options.out, options.clips, options.seed, report)
    note(f"{options.clips} synthetic clips in {options.out}")
