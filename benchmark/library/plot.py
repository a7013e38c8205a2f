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
from benchmark.leaderboard import entry_id
from benchmark.planning.data import Data, load_data
from benchmark.plots import write_figure
from benchmark.plots.figures import (
    clip_figure,
    has_votes,
    learning_figure,
    require_same_data,
    score_figures,
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
    """Draw a run's confusion matrix, recalls, learning curves and, where there are votes, what is seen together.

    run: a record, or the folder that holds it. output: the folder of the PNG and SVG files, by default `plots` in the
    run's folder, or `plots/<id>` here for a published record. clips: ids of test clips, each of which gets a figure of
    what the model sees in it beside what annotators saw. data_root: where the datasets lie, for votes.

    Raises UsageError for a run without a finished unit, EnvironmentProblem where `clips` or `data_root` ask for data
    that are not there, IntegrityError for a record or data that contradict each other.
    """
    path = record_path(Path(run))
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
    root = Path(data_root) if data_root else None
    from_votes, without_votes = _vote_figures(record, protocol, path.parent, clips, root)
    figures |= from_votes
    folder = Path(output) if output else _default_folder(record, path.parent)
    files = {name: tuple(write_figure(figure, folder / name)) for name, figure in figures.items()}
    notes = {name: text for name, text in (("curves", without_curves), ("coexistence", without_votes)) if text}
    return Plotted(path, record, figures, files, notes)


def _vote_figures(
    record: Record, protocol: Protocol, folder: Path, clips: Sequence[str], data_root: Path | None
) -> tuple[dict[str, Figure], str]:
    """The figures that need the annotators' votes; or none, and why."""
    if not has_votes(protocol) and not clips:
        return {}, f"left out: {protocol.dataset} has no annotators' votes"
    try:
        data = _data(record, protocol, data_root)
    except BenchmarkError as error:
        # A root from the environment is there for other commands too; it need not hold this run's data.
        if data_root or clips:
            raise
        return {}, f"left out: {str(error).splitlines()[0]}"
    figures = {"coexistence": votes_figure(record, protocol, data)}
    for clip_id in clips:
        figures[f"posterior-{_file_name(clip_id)}"] = clip_figure(record, protocol, folder, data, clip_id)
    return figures, ""


def _data(record: Record, protocol: Protocol, data_root: Path | None) -> Data:
    """The data of the record, with votes."""
    data = load_data(protocol, root_for([record], data_root), votes=True)
    require_same_data(record, data)
    return data


def _default_folder(record: Record, folder: Path) -> Path:
    """A published record's folder may hold nothing but the record and its predictions."""
    name = entry_id(record)
    return Path("plots") / name if folder.resolve().name == name else folder / "plots"


def _file_name(clip_id: str) -> str:
    """A clip's id as part of a file name; ids that need changing stay different."""
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", clip_id)[:80]
    return safe if safe == clip_id else f"{safe}-{hashlib.sha256(clip_id.encode()).hexdigest()[:8]}"
