"""`benchmark.plot`: figures of a finished run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from benchmark.errors import BenchmarkError, IntegrityError, UsageError
from benchmark.finished.labels import root_for
from benchmark.finished.rescoring import classes_of, read_finished
from benchmark.leaderboard import entry_id
from benchmark.planning.data import load_data
from benchmark.plots import write_figure
from benchmark.plots.figures import (
    calibration_figure,
    clip_figure,
    has_votes,
    learning_figure,
    require_same_data,
    score_figures,
    side_by_side,
    votes_figure,
)
from benchmark.protocol import Protocol
from benchmark.records import Record, protocol_of, read_record, record_path


@dataclass(frozen=True)
class Plotted:
    """A run's figures by name, and the files that each was written to; notes say why others were left out."""

    path: Path
    record: Record
    figures: Mapping[str, Figure]
    files: Mapping[str, tuple[Path, ...]]
    notes: Mapping[str, str]


def plot(
    run: Path | str,
    *,
    output: Path | str | None = None,
    clips: Sequence[str] = (),
    data_root: Path | str | None = None,
) -> Plotted:
    """Draw a run's confusion matrix, recalls, learning curves and, where the data are there, its reliability and votes.

    run: a record, or the folder that holds it. output: the folder of the PNG and SVG files, by default `plots` in the
    run's folder, or `plots/<id>` here for a published record. clips: ids of test clips, each of which gets a figure of
    its frames above what the model sees in it and what annotators saw, or its label where nobody voted. data_root:
    where the datasets lie.

    Raises UsageError for a run without a finished unit, EnvironmentProblem where `clips` or `data_root` ask for data
    that are not there, IntegrityError for a record or data that contradict each other.
    """
    path = record_path(Path(run))
    record = read_record(path)
    protocol = protocol_of(record, path)
    if not record.units:
        raise UsageError(f"{path}: has no finished unit, so there is nothing to plot")
    if any(len(unit.scores.test.confusion) != len(protocol.answer_names) for unit in record.units):
        raise IntegrityError(f"{path}: a confusion's size is not the number of classes of {protocol.name}")
    figures = score_figures(record, protocol)
    curves, without_curves = learning_figure(record, protocol, path.parent)
    if curves is not None:
        figures["curves"] = curves
    root = Path(data_root) if data_root else None
    from_data, without_votes = _data_figures(record, protocol, path.parent, clips, root)
    figures |= from_data
    calibration, without_labels = _calibration(record, path, root)
    figures |= calibration
    folder = Path(output) if output else _default_folder(record, path.parent)
    said = {"curves": without_curves, "coexistence": without_votes, "reliability": without_labels}
    notes = {name: text for name, text in said.items() if text}
    return Plotted(path, record, figures, _written(figures, folder), notes)


@dataclass(frozen=True)
class PlottedMethods:
    """The figures of several runs side by side, as `Plotted`."""

    records: tuple[Record, ...]
    figures: Mapping[str, Figure]
    files: Mapping[str, tuple[Path, ...]]
    notes: Mapping[str, str]


def plot_methods(runs: Sequence[Path | str], *, output: Path | str | None = None) -> PlottedMethods:
    """Draw the scores of several runs under one protocol side by side, and what each costs.

    runs: records, or the folders that hold them. output: the folder of the PNG and SVG files, by default
    `plots/<protocol>` here. Raises UsageError for runs under different protocols, or without a finished unit.
    """
    paths = [record_path(Path(run)) for run in runs]
    records = [read_record(path) for path in paths]
    protocols = [protocol_of(record, path) for record, path in zip(records, paths, strict=True)]
    for path, record, protocol in zip(paths, records, protocols, strict=True):
        if record.aggregates is None:
            raise UsageError(f"{path}: has no finished unit, so there is nothing to plot")
        if protocol.hash != protocols[0].hash:
            raise UsageError(
                f"{path}: was run under {protocol.name}@{protocol.version} ({protocol.hash[:8]}), {paths[0]} under "
                f"{protocols[0].name}@{protocols[0].version} ({protocols[0].hash[:8]}): such scores do not compare"
            )
    figures, without = side_by_side(records, protocols[0])
    folder = Path(output) if output else Path("plots") / protocols[0].name
    return PlottedMethods(tuple(records), figures, _written(figures, folder), {"cost": without} if without else {})


def _written(figures: Mapping[str, Figure], folder: Path) -> dict[str, tuple[Path, ...]]:
    return {name: tuple(write_figure(figure, folder / name)) for name, figure in figures.items()}


def _calibration(record: Record, path: Path, data_root: Path | None) -> tuple[dict[str, Figure], str]:
    """The figure that needs the labels of the test clips; or none, and why."""
    try:
        run = read_finished(path, "test")
        labels = classes_of(run, root_for([record], data_root))
    except BenchmarkError as error:
        return {}, f"left out: {str(error).splitlines()[0]}"
    return {"reliability": calibration_figure(record, labels, run.predictions)}, ""


def _data_figures(
    record: Record, protocol: Protocol, folder: Path, clips: Sequence[str], data_root: Path | None
) -> tuple[dict[str, Figure], str]:
    """The figures of annotators' votes and of single clips; and why there is none of votes."""
    voted = has_votes(protocol)
    without = "" if voted else f"left out: {protocol.dataset} has no annotators' votes"
    if not voted and not clips:
        return {}, without
    try:
        data = load_data(protocol, root_for([record], data_root), votes=voted)
        require_same_data(record, data)
    except BenchmarkError as error:
        # A root from the environment is there for other commands too; it need not hold this run's data.
        if data_root or clips:
            raise
        return {}, f"left out: {str(error).splitlines()[0]}"
    figures = {"coexistence": votes_figure(record, protocol, data)} if voted else {}
    for clip_id in clips:
        figures[f"posterior-{_file_name(clip_id)}"] = clip_figure(record, protocol, folder, data, clip_id)
    return figures, without


def _default_folder(record: Record, folder: Path) -> Path:
    """A published record's folder may hold nothing but the record and its predictions."""
    name = entry_id(record)
    return Path("plots") / name if folder.resolve().name == name else folder / "plots"


def _file_name(clip_id: str) -> str:
    """A clip's id as part of a file name; ids that need changing stay different."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", clip_id)[:80]
    return safe if safe == clip_id else f"{safe}-{hashlib.sha256(clip_id.encode()).hexdigest()[:8]}"
