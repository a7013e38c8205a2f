"""`benchmark plot`: figures of runs, as PNG and SVG files."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark.cli.output import add_json, note, print_json
from benchmark.errors import UsageError


def add_commands(commands: Any) -> None:
    """Declare the commands of this module."""
    plot = commands.add_parser(
        "plot",
        help="figures of a run, or of several side by side",
        description="Writes PNG and SVG files. Of one run: the confusion matrix, the recall of each class, the curves "
        "of a run that lies here and, where its data are found, the reliability diagram and what annotators see "
        "together. Of several runs under one protocol: their scores with intervals, and score against cost.",
    )
    plot.add_argument(
        "runs", nargs="+", type=Path, metavar="RUN", help="a record.json, or the folder that holds it; or several"
    )
    plot.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="default: plots/ in the run's folder; here, plots/<id>/ for a published record, plots/<protocol>/ for "
        "several runs",
    )
    plot.add_argument("--data-root", type=Path, metavar="DIR", help="default: BENCHMARK_DATA_ROOT; labels and votes")
    plot.add_argument(
        "--clip",
        action="append",
        default=[],
        metavar="ID",
        help="a test clip: its frames, what the model sees in it, and the votes or the label (repeatable)",
    )
    add_json(plot)
    plot.set_defaults(function=plot_runs)


def plot_runs(options: argparse.Namespace) -> None:
    """`benchmark plot RUN [RUN ...]`."""
    from benchmark.library.plot import plot, plot_methods

    if len(options.runs) == 1:
        plotted = plot(options.runs[0], output=options.output, clips=options.clip, data_root=options.data_root)
        document: dict[str, Any] = {"record": str(plotted.path)}
        synthetic = plotted.record.marks.synthetic
        _print(plotted.files, plotted.notes, document, synthetic, options.json)
        return
    if options.clip:
        raise UsageError("--clip: is of one run; give one")
    several = plot_methods(options.runs, output=options.output)
    synthetic = any(record.marks.synthetic for record in several.records)
    document = {"records": [str(path) for path in options.runs]}
    _print(several.files, several.notes, document, synthetic, options.json)


def _print(
    files: Mapping[str, Sequence[Path]],
    notes: Mapping[str, str],
    document: Mapping[str, Any],
    synthetic: bool,
    as_json: bool,
) -> None:
    for name, text in notes.items():
        note(f"{name}: {text}")
    if synthetic:
        note("synthetic data")
    if as_json:
        written = {name: [str(file) for file in paths] for name, paths in files.items()}
        print_json({**document, "synthetic": synthetic, "figures": written, "notes": dict(notes)})
    else:
        for paths in files.values():
            print("\n".join(map(str, paths)))
