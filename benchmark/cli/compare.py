"""`benchmark compare`: whether finished runs differ beyond chance, and how optimistic selecting on test is."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from benchmark.cli.output import add_json, note, print_json

if TYPE_CHECKING:
    from benchmark.library.compare import Comparison


def add_commands(commands: Any) -> None:
    """Declare the commands of this module."""
    compare = commands.add_parser("compare", help="whether finished runs differ beyond chance, clip by clip")
    compare.add_argument(
        "runs", nargs="+", type=Path, metavar="RUN", help="two or more: a record.json, or the folder that holds it"
    )
    compare.add_argument("--data-root", type=Path, metavar="DIR", help="where the datasets are, for the labels")
    compare.add_argument(
        "--metric", action="append", default=[], metavar="M", help="repeatable; default: the ranking metric and WAR"
    )
    add_json(compare)
    compare.set_defaults(function=compare_runs)


def compare_runs(options: argparse.Namespace) -> None:
    """`benchmark compare A B [C ...]`: every pair, or a test-oracle run beside its val-selected twin."""
    from benchmark.library.compare import compare
    from benchmark.reports.comparison import comparison_text, optimism_text

    found = compare(options.runs, metrics=options.metric, data_root=options.data_root)
    if options.json:
        print_json(_document(found))
    elif found.optimism:
        print(optimism_text(found.runs, found.pairs[0], found.metrics))
    else:
        print(comparison_text(found.runs, found.pairs, found.metrics))
    for line in found.notes:
        note(f"note: {line}")


def _document(found: Comparison) -> Any:
    """Everything that was computed, as a JSON value; runs are named by their letters."""
    return {
        "kind": "optimism" if found.optimism else "comparison",
        "synthetic": any(run.record.marks.synthetic for run in found.runs),
        "runs": [
            {
                "run": ascii_uppercase[position],
                "path": str(run.path),
                "protocol": {"name": run.protocol.name, "version": run.protocol.version, "hash": run.protocol.hash},
                "selection": run.protocol.selection.policy,
                "method": run.record.method.model_dump(mode="json"),
                "augmentations": [used.model_dump(mode="json") for used in run.record.augmentations],
                "label_mode": run.record.label_mode,
                "marks": run.record.marks.model_dump(mode="json"),
            }
            for position, run in enumerate(found.runs)
        ],
        "pairs": [
            {
                **dataclasses.asdict(pair),
                "first": ascii_uppercase[pair.first],
                "second": ascii_uppercase[pair.second],
                "units": [{"seed": seed, "fold": fold} for seed, fold in pair.units],
                "left_out": [{"seed": seed, "fold": fold} for seed, fold in pair.left_out],
            }
            for pair in found.pairs
        ],
        "notes": list(found.notes),
    }
