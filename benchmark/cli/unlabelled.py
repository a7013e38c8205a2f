"""`benchmark unlabelled`: a finished run's models on the clips that have votes and no label."""

from __future__ import annotations

import argparse
from typing import Any

from benchmark.cli.output import note, print_json, print_table
from benchmark.cli.run_options import add_run_to_ask


def add_commands(commands: Any) -> None:
    """Declare the commands of this module."""
    unlabelled = commands.add_parser(
        "unlabelled",
        help="score a finished run on clips that have votes and no label",
        description="Predicts, by each unit's model, the clips on which annotators did not agree, and which no list "
        "holds; scores are against their votes. Nothing is trained.",
    )
    add_run_to_ask(unlabelled)
    unlabelled.set_defaults(function=score_unlabelled)


def score_unlabelled(options: argparse.Namespace) -> None:
    """`benchmark unlabelled RUN`."""
    from benchmark.cli.progress import Terminal
    from benchmark.library.unlabelled import unlabelled

    found = unlabelled(
        options.run,
        data_root=options.data_root,
        weights=options.weights,
        device=options.device,
        watcher=Terminal(),
    )
    record = found.run.record
    rows = {
        name: {
            "mean": round(tally.mean, 6),
            "low": round(tally.interval[0], 6),
            "high": round(tally.interval[1], 6),
            "better": "higher" if metric.higher_is_better else "lower",
        }
        for name, (metric, tally) in found.metrics.items()
        if tally.interval
    }
    if options.json:
        units = [{"seed": seed, "fold": fold} for seed, fold in found.units]
        print_json(
            {
                "record": str(found.run.path),
                "synthetic": record.marks.synthetic,
                "clips": found.clips,
                "units": units,
                "metrics": rows,
            }
        )
    else:
        size = f"{len(found.units)} units, {found.clips:,} clips without a label"
        print(f"{record.method.name} under {record.protocol.name}: {size}")
        if record.marks.synthetic:
            print("SYNTHETIC DATA: these numbers say nothing about real faces")
        cells = [
            [found.metrics[name][0].title, f"{row['mean']:.4f} ({row['low']:.4f} to {row['high']:.4f})", row["better"]]
            for name, row in rows.items()
        ]
        print_table(cells, ["metric", "mean over units (95 % interval)", "better"])
    if found.without_frames:
        note(f"{found.without_frames} more clips have votes, but no frames here")
