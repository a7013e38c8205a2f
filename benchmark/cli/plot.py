"""`benchmark plot`: figures of a run, as PNG and SVG files."""

from __future__ import annotations

import argparse
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.cli.output import add_json, note, print_json
from benchmark.errors import BenchmarkError, IntegrityError, UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from benchmark.planning.data import Data
    from benchmark.protocol import Protocol
    from benchmark.records import Record


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
    from benchmark.plots import write_figure
    from benchmark.plots.figures import learning_figure, score_figures
    from benchmark.records import protocol_of, read_record, record_path

    path = record_path(options.run)
    record = read_record(path)
    protocol = protocol_of(record, path)
    if not record.units:
        raise UsageError(f"{path}: has no finished unit, so there is nothing to plot")
    if any(len(unit.scores.test.confusion) != len(protocol.classes) for unit in record.units):
        raise IntegrityError(f"{path}: a confusion's size is not the number of classes of {protocol.name}")
    figures = score_figures(record, protocol)
    curves, without_curves = learning_figure(record, protocol, path.parent)
    if curves is not None:
        figures["curves"] = curves
    from_votes, without_votes = _vote_figures(record, protocol, path.parent, options)
    figures |= from_votes
    folder = options.output or _default_folder(record, path.parent)
    written = {name: [str(file) for file in write_figure(figure, folder / name)] for name, figure in figures.items()}
    notes = {name: text for name, text in (("curves", without_curves), ("coexistence", without_votes)) if text}
    for name, text in notes.items():
        note(f"{name}: {text}")
    if record.marks.synthetic:
        note("synthetic data")
    if options.json:
        print_json({"record": str(path), "synthetic": record.marks.synthetic, "figures": written, "notes": notes})
    else:
        for files in written.values():
            print("\n".join(files))


def _vote_figures(
    record: Record, protocol: Protocol, folder: Path, options: argparse.Namespace
) -> tuple[dict[str, Figure], str]:
    """The figures that need the annotators' votes; or none, and why."""
    from benchmark.plots.figures import clip_figure, has_votes, votes_figure

    if not has_votes(protocol) and not options.clip:
        return {}, f"left out: {protocol.dataset} has no annotators' votes"
    try:
        data = _data(record, protocol, options.data_root)
    except BenchmarkError as error:
        # A root from the environment is there for other commands too; it need not hold this run's data.
        if options.data_root or options.clip:
            raise
        return {}, f"left out: {str(error).splitlines()[0]}"
    figures = {"coexistence": votes_figure(record, protocol, data)}
    for clip_id in options.clip:
        figures[f"posterior-{_file_name(clip_id)}"] = clip_figure(record, protocol, folder, data, clip_id)
    return figures, ""


def _data(record: Record, protocol: Protocol, data_root: Path | None) -> Data:
    """The data of the record, with votes."""
    from benchmark.finished.labels import root_for
    from benchmark.planning.data import load_data
    from benchmark.plots.figures import require_same_data

    data = load_data(protocol, root_for([record], data_root), votes=True)
    require_same_data(record, data)
    return data


def _default_folder(record: Record, folder: Path) -> Path:
    """A published record's folder may hold nothing but the record and its predictions."""
    from benchmark.leaderboard import entry_id

    name = entry_id(record)
    return Path("plots") / name if folder.resolve().name == name else folder / "plots"


def _file_name(clip_id: str) -> str:
    """A clip's id as part of a file name; ids that need changing stay different."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", clip_id)[:80]
    return safe if safe == clip_id else f"{safe}-{hashlib.sha256(clip_id.encode()).hexdigest()[:8]}"
