"""`benchmark compare`: whether finished runs differ beyond chance, and how optimistic selecting on test is."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from benchmark.cli.output import add_json, note, print_json
from benchmark.errors import EnvironmentProblem, IntegrityError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from benchmark.finished.comparing import Pair
    from benchmark.finished.rescoring import FinishedSplit
    from benchmark.protocol import Protocol
    from benchmark.specs import MetricSpec

# Classes with fewer test clips than this are pointed out.
FEW = 10


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
    from benchmark.cli.compare_text import comparison_text, optimism_text
    from benchmark.finished.comparing import as_twins, check_comparable, compare_pairs
    from benchmark.finished.rescoring import read_finished

    if not 2 <= len(options.runs) <= len(ascii_uppercase):
        raise UsageError(f"compare takes 2 to {len(ascii_uppercase)} runs, not {len(options.runs)}")
    runs = [read_finished(path, "test") for path in options.runs]
    twins = as_twins(runs)
    if twins is None:
        check_comparable(runs)
    metrics = _metrics(options.metric, runs[0].protocol, every=twins is not None)
    pairs = compare_pairs(
        runs, _labels(runs, options.data_root), metrics, [twins] if twins else list(combinations(range(len(runs)), 2))
    )
    notes = _notes(runs, pairs)
    if options.json:
        print_json(_document(runs, pairs, optimism=twins is not None, notes=notes))
    elif twins:
        print(optimism_text(runs, pairs[0], metrics))
    else:
        print(comparison_text(runs, pairs, metrics))
    for line in notes:
        note(f"note: {line}")


def _metrics(names: Sequence[str], protocol: Protocol, every: bool) -> list[MetricSpec]:
    """What is compared; `every` metric of the protocol, if nothing was named, else the ranking one and WAR."""
    from benchmark.registry import registry

    default = protocol.metrics if every else (protocol.ranking, "war")
    metrics = [registry().find("metrics", name) for name in dict.fromkeys(names or default)]
    for metric in metrics:
        if metric.input != "confusion":
            raise UsageError(
                f"--metric {metric.name}: does not follow from a confusion matrix, so its difference cannot be "
                "tested here; `benchmark score` computes it for each run"
            )
    return metrics


def _labels(runs: Sequence[FinishedSplit], data_root: Path | None) -> list[list[np.ndarray]]:
    """The true classes of every run's units."""
    from benchmark.finished.labels import root_for
    from benchmark.finished.rescoring import labels_of
    from benchmark.planning.data import default_root

    root = root_for([run.record for run in runs], data_root)
    if root is None:
        raise EnvironmentProblem(
            f"runs are compared clip by clip, which needs the labels of {runs[0].protocol.dataset}: give the folder "
            "that the runs used with --data-root DIR (or BENCHMARK_DATA_ROOT)"
        )
    try:
        return [labels_of(run, root) for run in runs]
    except (EnvironmentProblem, IntegrityError) as error:
        # Nobody named the demo's data, so that they are others is no fault of theirs.
        if default_root(data_root) is not None:
            raise
        raise EnvironmentProblem(
            f"the demo's data in {root} are not what these runs were made on; give theirs with --data-root DIR"
        ) from error


def _notes(runs: Sequence[FinishedSplit], pairs: Sequence[Pair]) -> list[str]:
    """What a reader must know beside the numbers, as plain text."""
    import numpy as np

    notes = []
    # Fewest test clips of a class in one fold; classes without any have no recall and are left out of the scores.
    fewest = np.concatenate([run.confusions for run in runs]).sum(axis=2).min(axis=0)
    few = [name for name, clips in zip(runs[0].protocol.classes, fewest, strict=True) if 0 < clips < FEW]
    if few:
        notes.append(
            f"{', '.join(map(repr, few))}: fewer than {FEW} test clips in a fold, which hardly vary when one is left "
            "out: intervals of UAR and macro-F1 may be too narrow and p values too small"
        )
    cluster = runs[0].protocol.clustered_by
    if cluster:
        notes.append(f"clips (or frames) of one {cluster} are not independent, and are left out together")
    for pair in pairs:
        names = f"{ascii_uppercase[pair.first]} and {ascii_uppercase[pair.second]}"
        if pair.left_out:
            left_out = "; ".join(f"seed {seed}, fold {fold}" for seed, fold in pair.left_out)
            notes.append(f"{names}: left out, because only one of them has these test clips: {left_out}")
        if pair.mcnemar is None:
            why = "clips are not independent" if cluster else "several units predicted the same clips"
            notes.append(f"{names}: no McNemar's test, because {why}")
    return notes


def _document(runs: Sequence[FinishedSplit], pairs: Sequence[Pair], optimism: bool, notes: Sequence[str]) -> Any:
    """Everything that was computed, as a JSON value; runs are named by their letters."""
    return {
        "kind": "optimism" if optimism else "comparison",
        "synthetic": any(run.record.marks.synthetic for run in runs),
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
            for position, run in enumerate(runs)
        ],
        "pairs": [
            {
                **dataclasses.asdict(pair),
                "first": ascii_uppercase[pair.first],
                "second": ascii_uppercase[pair.second],
                "units": [{"seed": seed, "fold": fold} for seed, fold in pair.units],
                "left_out": [{"seed": seed, "fold": fold} for seed, fold in pair.left_out],
            }
            for pair in pairs
        ],
        "notes": list(notes),
    }
