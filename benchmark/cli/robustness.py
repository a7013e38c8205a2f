"""`benchmark robustness`: a finished run's scores on spoiled clips."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any

from benchmark.cli.output import print_json, print_table
from benchmark.cli.run_options import add_run_to_ask

if TYPE_CHECKING:
    from benchmark.library.robustness import Robust, Robustness


def add_commands(commands: Any) -> None:
    """Declare the commands of this module."""
    robustness = commands.add_parser(
        "robustness",
        help="score a finished run on spoiled clips (DFER-C)",
        description="Predicts the test clips again by the run's checkpoints after they were spoiled: JPEG, rescaling, "
        "motion blur, low light, occlusion, frozen and dropped frames, a trembling crop, in five severities each.",
    )
    robustness.add_argument("--lite", action="store_true", help="the middle severity alone: a fifth of the time")
    add_run_to_ask(robustness)
    robustness.set_defaults(function=score_spoiled)


def score_spoiled(options: argparse.Namespace) -> None:
    """`benchmark robustness RUN`."""
    from benchmark.cli.progress import Terminal
    from benchmark.library.robustness import robustness

    found = robustness(
        options.run,
        data_root=options.data_root,
        weights=options.weights,
        lite=options.lite,
        device=options.device,
        watcher=Terminal(),
    )
    if options.json:
        print_json(_document(found))
    else:
        _print(found)


def _document(found: Robustness) -> dict[str, Any]:
    return {
        "record": str(found.run.path),
        "synthetic": found.run.record.marks.synthetic,
        "severities": list(found.severities),
        "units": [{"seed": seed, "fold": fold} for seed, fold in found.units],
        "metrics": {robust.metric.name: _values(robust) for robust in found.metrics},
    }


def _values(robust: Robust) -> dict[str, Any]:
    values = {"clean": robust.clean, "corrupted": robust.corrupted, "relative": robust.relative}
    rounded = {name: round(value, 6) if math.isfinite(value) else None for name, value in values.items()}
    corruptions = {name: [round(score, 6) for score in scores] for name, scores in robust.by_corruption.items()}
    return {**rounded, "by_corruption": corruptions}


def _print(found: Robustness) -> None:
    record = found.run.record
    print(f"{record.method.name} under {record.protocol.name}: {len(found.units)} of {len(record.units)} units")
    if record.marks.synthetic:
        print("SYNTHETIC DATA: these numbers say nothing about real faces")
    for robust in found.metrics:
        print(
            f"\n{robust.metric.title}: clean {robust.clean:.4f}, mean corrupted {robust.corrupted:.4f}, "
            f"relative {robust.relative:.4f}"
        )
        rows = [[name, *(f"{score:.4f}" for score in scores)] for name, scores in robust.by_corruption.items()]
        print_table(rows, ["spoiled by", *(f"severity {severity}" for severity in found.severities)])
