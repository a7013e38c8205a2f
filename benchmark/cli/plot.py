"""`benchmark plot`: figures of a run, as PNG and SVG files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmark.cli.output import add_json, note, print_json


def add_commands(commands: Any) -> None:
    """Declare the commands of this module."""
    plot = commands.add_parser(
        "plot",
        help="figures of a run: confusion, recall, learning curves, annotators' votes",
        description="Writes PNG and SVG files: the confusion matrix, the recall of each class, the learning curves of "
        "a run that lies here and, of a dataset with annotators' votes, which emotions are seen together.",
    )
    plot.add_argument("run", type=Path, metavar="RUN", help="a record.json, or the folder that holds it")
    plot.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="default: plots/ in the run's folder; plots/<id>/ here for a published record",
    )
    plot.add_argument("--data-root", type=Path, metavar="DIR", help="default: BENCHMARK_DATA_ROOT; for the votes")
    plot.add_argument(
        "--clip",
        action="append",
        default=[],
        metavar="ID",
        help="a test clip: what the model sees in it beside what annotators saw (repeatable)",
    )
    add_json(plot)
    plot.set_defaults(function=plot_run)


def plot_run(options: argparse.Namespace) -> None:
    """`benchmark plot RUN`."""
    from benchmark.library.plot import plot

    plotted = plot(options.run, output=options.output, clips=options.clip, data_root=options.data_root)
    written = {name: [str(file) for file in files] for name, files in plotted.files.items()}
    synthetic = plotted.record.marks.synthetic
    for name, text in plotted.notes.items():
        note(f"{name}: {text}")
    if synthetic:
        note("synthetic data")
    if options.json:
        document = {"record": str(plotted.path), "synthetic": synthetic, "figures": written}
        print_json({**document, "notes": dict(plotted.notes)})
    else:
        for files in written.values():
            print("\n".join(files))
