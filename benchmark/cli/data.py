"""`benchmark data ...`: what is known of a dataset; checking, auditing, preparing one, making a synthetic stand-in."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.cli import prepare
from benchmark.cli.output import add_json, note, positive, print_json, print_some, print_table
from benchmark.errors import UsageError
from benchmark.plugin_functions import synthesize_dataset
from benchmark.registry import registry
from benchmark.resources import cores
from benchmark.specs import DatasetLayout

if TYPE_CHECKING:
    from benchmark.datasets.check import Problem, Report


DATASET = "a name from `benchmark list datasets`"
WORKERS = "processes that read clips; default: one for each core"


def add_commands(commands: Any) -> None:
    """Declare the commands of this module."""
    data = commands.add_parser("data", help="what is known of datasets; check one, audit some, make a synthetic one")
    actions = data.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=type(data))

    lister = actions.add_parser("list", help="datasets, how they are obtained and under which terms")
    add_json(lister)
    lister.set_defaults(function=list_datasets)

    shower = actions.add_parser("show", help="a dataset's expected tree, terms, classes and known counts")
    shower.add_argument("name", help=DATASET)
    add_json(shower)
    shower.set_defaults(function=show_dataset)

    check = actions.add_parser("check", help="compare counts with the known ones and decode every clip")
    check.add_argument("name", help=DATASET)
    check.add_argument("--root", type=Path, required=True, metavar="DIR", help="its folder, or the one around it")
    check.add_argument("--source", action="append", metavar="NAME", help="frame source to decode; default: all present")
    check.add_argument("--workers", type=positive, default=cores(), metavar="N", help=WORKERS)
    add_json(check)
    check.set_defaults(function=check_data)

    audit = actions.add_parser("audit", help="look for people and the same content across train, val and test")
    audit.add_argument(
        "datasets", nargs="*", metavar="NAME[=DIR]", help="datasets to compare, in --data-root or in DIR"
    )
    audit.add_argument("--data-root", type=Path, metavar="DIR", help="where the datasets are; or BENCHMARK_DATA_ROOT")
    audit.add_argument(
        "--protocol", metavar="P", help="use this protocol's train, val and test, not the official parts"
    )
    audit.add_argument(
        "--source", action="append", metavar="NAME", help="frame source to compare; default: a dataset's first present"
    )
    audit.add_argument(
        "--threshold",
        type=bits,
        default=4.0,
        metavar="BITS",
        help="bits of 64 in which the perceptual hashes of near duplicates differ at most (default: 4)",
    )
    audit.add_argument("--workers", type=positive, default=cores(), metavar="N", help=WORKERS)
    add_json(audit)
    audit.set_defaults(function=_audit)

    prepare.add_command(actions)

    synthesize = actions.add_parser("synthesize", help="write a synthetic stand-in in the dataset's own tree")
    synthesize.add_argument("name", help=DATASET)
    synthesize.add_argument("out", type=Path, metavar="DIR", help="the folder to write; it must not exist")
    synthesize.add_argument("--clips", type=positive, default=420, metavar="N", help="how many; default: 420")
    synthesize.add_argument(
        "--seed", type=int, default=0, metavar="N", help="another one draws other clips; default: 0"
    )
    synthesize.set_defaults(function=synthesize_data)


def bits(text: str) -> float:
    """An argument's type: a number of bits at which two hashes still have something in common."""
    value = float(text)
    if not 0 <= value < 32:
        raise argparse.ArgumentTypeError("must be from 0 to below 32, which is what unrelated clips differ by")
    return value


def list_datasets(options: argparse.Namespace) -> None:
    """`benchmark data list`."""
    layouts = registry().datasets.values()
    if options.json:
        print_json([_facts(layout) for layout in layouts])
        return
    rows = [
        [
            layout.name,
            layout.title,
            str(_known_clips(layout) or "-"),
            _votes(layout),
            layout.licence,
            ", ".join(layout.frame_sources),
        ]
        for layout in layouts
    ]
    print_table(rows, ["name", "title", "known clips", "votes", "licence", "frame sources"])
    note("`benchmark data show NAME` prints the expected tree and how to obtain it")


def _votes(layout: DatasetLayout) -> str:
    return "no" if not layout.votes else layout.votes_name if layout.stated else "yes"


def show_dataset(options: argparse.Namespace) -> None:
    """`benchmark data show NAME`."""
    layout = registry().find("datasets", options.name)
    if options.json:
        print_json(_facts(layout))
        return
    lines = {
        "name": layout.name,
        "title": layout.title,
        "citation": layout.citation,
        "licence": layout.licence,
        "obtain": layout.obtain,
        "classes": ", ".join(layout.classes) or "whatever its lists hold",
        "votes": _votes(layout),
        "frame sources": ", ".join(layout.frame_sources),
        "lists": "\n".join(layout.lists) or "none",
        "tree": layout.tree,
    }
    for key, text in lines.items():
        print(f"{key + ':':<15}" + text.replace("\n", "\n" + " " * 15))
    print()
    if layout.expected:
        _print_counts(layout.expected)
    else:
        print("known counts: none")


def _facts(layout: DatasetLayout) -> dict[str, Any]:
    keys = ("name", "title", "citation", "licence", "obtain", "tree", "classes", "frame_sources", "lists", "votes")
    return {**{key: getattr(layout, key) for key in keys}, "expected": layout.expected}


def _known_clips(layout: DatasetLayout) -> int | None:
    """Clips in one fold's parts together; folds divide the same clips."""
    return max(
        (sum(facts.get("clips", 0) for facts in parts.values()) for parts in layout.expected.values()), default=None
    )


def check_data(options: argparse.Namespace) -> int:
    """`benchmark data check NAME --root DIR`."""
    from benchmark.cli.progress import counting
    from benchmark.datasets.check import check_dataset
    from benchmark.planning.data import find_root

    layout = registry().find("datasets", options.name)
    unknown = sorted(set(options.source or ()) - set(layout.frame_sources))
    if unknown:
        raise UsageError(f"{layout.name} has no frame source {unknown}; it has: {', '.join(layout.frame_sources)}")
    root = find_root(layout, options.root)
    with counting(f"decoding {layout.name}") as report:
        result = check_dataset(layout, root, options.source, options.workers, report)
    if options.json:
        print_json(dataclasses.asdict(result))
    else:
        _print_report(result)
    return result.exit_code


def _print_report(result: Report) -> None:
    if result.folds:
        _print_counts(result.folds)
    print_some("list file", [f"{digest[:12]}  {path}" for path, digest in result.lists.items()])
    print_some("note", result.notes)
    kinds: dict[str, list[Problem]] = {}
    for problem in result.problems:
        kinds.setdefault(problem.kind, []).append(problem)
    for kind, problems in kinds.items():
        print_some(f"PROBLEM ({kind})", [problem.message for problem in problems])
    count = len(result.problems)
    verdict = f"{count:,} problem{'s' if count > 1 else ''}" if count else "everything holds"
    decoded = f", decoded: {', '.join(result.sources)}" if result.sources else ""
    clips = f"{result.clips:,} clips" if result.clips else "no clip could be read"
    print(f"{clips} in {result.root}{' (synthetic)' if result.synthetic else ''}{decoded}: {verdict}")


def _print_counts(folds: Mapping[int, Mapping[str, Mapping[str, Any]]]) -> None:
    """One column for each part of each fold, one row for each class: MAFW has 43 of them."""
    from benchmark.datasets.splits import SPLITS
    from benchmark.protocol import ALL

    columns = {
        f"fold {fold}\n{part}": parts[part] for fold, parts in folds.items() for part in (*SPLITS, ALL) if part in parts
    }
    names = list(dict.fromkeys(name for facts in columns.values() for name in facts.get("per_class", ())))
    rows = [["clips", *(facts.get("clips", "-") for facts in columns.values())]]
    rows += [[name, *(facts.get("per_class", {}).get(name, "-") for facts in columns.values())] for name in names]
    print_table(rows, ["", *columns])


def _audit(options: argparse.Namespace) -> int:
    from benchmark.cli.audit import audit_data

    return audit_data(options)


def synthesize_data(options: argparse.Namespace) -> None:
    """`benchmark data synthesize NAME OUT`."""
    from benchmark.cli.progress import counting

    layout = registry().find("datasets", options.name)
    with counting(f"synthesizing {layout.name}") as report:
        synthesize_dataset(layout, options.out, options.clips, options.seed, report)
    note(f"{options.clips} synthetic clips in {options.out}")
