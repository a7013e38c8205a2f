"""The figures of a record: from its scores, from the metrics beside it, and from its dataset's votes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from matplotlib.figure import Figure
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmark.datasets.votes import vote_shares
from benchmark.errors import IntegrityError, UsageError
from benchmark.planning.data import Data
from benchmark.plots.bars import posterior_figure, recall_figure
from benchmark.plots.curves import Curve, curves_figure
from benchmark.plots.frames import evenly
from benchmark.plots.matrices import coexistence_figure, confusion_figure
from benchmark.plots.methods import ScoredRow, cost_figure, methods_figure
from benchmark.plots.reliability import reliability_figure
from benchmark.protocol import Protocol
from benchmark.records import Record, UnitRecord, class_clips, clip_sets, referenced_file
from benchmark.records.names import row_name
from benchmark.registry import registry
from benchmark.scoring.predictions import Predictions, read_predictions
from benchmark.scoring.scores import recall_interval
from benchmark.specs import Clip
from benchmark.units.state import METRICS
from benchmark.validation import problem_of
from benchmark.video.frames import open_clip


class _Epoch(BaseModel):
    """What is drawn of one line of metrics.jsonl."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    epoch: int = Field(ge=1)
    loss: float
    val: dict[str, float]


def heading(record: Record, what: str) -> str:
    """A figure's title: what it shows, and of which run; that a run is synthetic, unofficial or incomplete is said."""
    folds, seeds = len({unit.fold for unit in record.units}), len({unit.seed for unit in record.units})
    size = f"{folds} fold{'s' * (folds != 1)}, {seeds} seed{'s' * (seeds != 1)}"
    said = "".join(f", {mark}" for mark in _marks(record))
    return f"{what}\n{row_name(record)}\n{record.protocol.name}, {size}{said}"


def _marks(record: Record) -> list[str]:
    marks = {
        "synthetic data": record.marks.synthetic,
        "unofficial": record.marks.unofficial,
        "incomplete": record.marks.incomplete,
    }
    return [mark for mark, holds in marks.items() if holds]


def side_by_side(records: Sequence[Record], protocol: Protocol) -> tuple[dict[str, Figure], str]:
    """`methods` and `cost` of several records under one protocol, the best first, and what to say about those left out.

    Every record has aggregates.
    """
    titles = {name: registry().metrics[name].title if name in registry().metrics else name for name in protocol.metrics}
    named = sorted(zip(_distinct(records), records, strict=True), key=lambda pair: -_ranking(pair[1], protocol))
    rows = [_scored_row(name, record, titles) for name, record in named]
    what = f"{protocol.name}, version {protocol.version}"
    if any(record.marks.synthetic for record in records):
        what += "\nsynthetic data" + ("" if all(record.marks.synthetic for record in records) else " among them")
    figures = {"methods": methods_figure(rows, f"Scores on test\n{what}")}
    known = [row for row in rows if row.gflops]
    if len(known) > 1:
        figures["cost"] = cost_figure(known, titles[protocol.ranking], f"Score and cost on test\n{what}")
    unknown = [row.name for row in rows if not row.gflops]
    return figures, f"without those whose GFLOPs are not known: {'; '.join(unknown)}" if unknown else ""


def _scored_row(name: str, record: Record, titles: Mapping[str, str]) -> ScoredRow:
    assert record.aggregates is not None
    found = {title: record.aggregates.metrics[metric] for metric, title in titles.items()}
    scores = {title: (summary.low, summary.mean, summary.high) for title, summary in found.items()}
    return ScoredRow(name, scores, record.method.gflops)


def _ranking(record: Record, protocol: Protocol) -> float:
    assert record.aggregates is not None
    return record.aggregates.metrics[protocol.ranking].mean


def _distinct(records: Sequence[Record]) -> list[str]:
    """Names of rows, with their marks; those that are called the same are told apart by the date."""
    names = [", ".join([row_name(record), *(m for m in _marks(record) if m != "synthetic data")]) for record in records]
    return [
        name if names.count(name) == 1 else f"{name}, {record.created:%Y-%m-%d %H:%M:%S}"
        for name, record in zip(names, records, strict=True)
    ]


def calibration_figure(record: Record, labels: Sequence[np.ndarray], predictions: Sequence[Predictions]) -> Figure:
    """The reliability of all units' test predictions together; labels (N,) and predictions of each unit."""
    probabilities = np.concatenate([each.probabilities for each in predictions])
    return reliability_figure(np.concatenate(labels), probabilities, heading(record, "Reliability on test"))


def score_figures(record: Record, protocol: Protocol) -> dict[str, Figure]:
    """`confusion` and `recall` of all units' test predictions together; at least one unit must be finished."""
    confusions = np.array([unit.scores.test.confusion for unit in record.units], dtype=np.int64)
    clips = class_clips(record.units)
    pooled, classes = confusions.sum(axis=0), protocol.answer_names
    sets = clip_sets(record.units)
    intervals = [recall_interval(sets, k) if clips[k] else None for k in range(len(classes))]
    return {
        "confusion": confusion_figure(pooled, classes, heading(record, "Confusion on test"), clips),
        "recall": recall_figure(pooled, classes, heading(record, "Recall on test"), clips, intervals),
    }


def learning_figure(record: Record, protocol: Protocol, folder: Path) -> tuple[Figure | None, str]:
    """The learning curves of the units whose metrics.jsonl lies below `folder`, and what to say about the others."""
    metric = protocol.selection.metric
    curves, missing = [], []
    for unit in record.units:
        path = folder / PurePosixPath(unit.predictions.test.path).parent / METRICS
        rows = _epochs(path) if path.is_file() else []
        if not rows:
            missing.append(_name(unit))
            continue
        scores = [row.val[metric] for row in rows if metric in row.val]
        curves.append(
            Curve(
                _name(unit),
                [row.epoch for row in rows],
                [row.loss for row in rows],
                scores if len(scores) == len(rows) else None,
                unit.selected_epoch,
            )
        )
    if not curves:
        return None, f"left out: no {METRICS} beside the record (published records have none)"
    lacking = f"without those that have no {METRICS}: {'; '.join(missing)}" if missing else ""
    spec = registry().metrics.get(metric)
    watched = f"{spec.title if spec else metric} on {protocol.watched_split}"
    return curves_figure(curves, watched, heading(record, "Learning curves")), lacking


def has_votes(protocol: Protocol) -> bool:
    """Whether the protocol's dataset has annotators' votes."""
    return registry().find("datasets", protocol.dataset).votes


def require_same_data(record: Record, data: Data) -> None:
    """IntegrityError unless `data` are what the record was made from."""
    if data.fingerprints[record.label_mode] != record.data.fingerprint:
        raise IntegrityError(
            f"{data.root}: these are not the data that the record was made from (their fingerprint is "
            f"{data.fingerprints[record.label_mode][:12]}, the record's {record.data.fingerprint[:12]}); "
            "name their --data-root"
        )


def votes_figure(record: Record, protocol: Protocol, data: Data) -> Figure:
    """`coexistence_figure` of all the clips that the protocol takes from its dataset, read with votes."""
    shares, clips = coexistence(_voted_clips(protocol, data), protocol.classes)
    seen = "are shown" if data.layout.stated else "annotators see"
    what = f"Emotions that {seen} together in {data.layout.name}"
    title = f"{what}\n{'synthetic data' if record.marks.synthetic else ''}"
    return coexistence_figure(shares, clips, protocol.classes, title, data.layout.votes_name)


def coexistence(clips: Iterable[Clip], classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Mean soft label (K, K) of the clips of each label, rows of classes without clips being zero, and their numbers.

    Clips without a vote for any of the classes are left out.
    """
    sums, numbers = np.zeros((len(classes), len(classes))), np.zeros(len(classes), dtype=np.int64)
    for clip in clips:
        label = vote_shares(clip, classes)
        if label is not None:
            sums[classes.index(clip.label)] += label
            numbers[classes.index(clip.label)] += 1
    return sums / np.maximum(numbers, 1)[:, None], numbers


def clip_figure(record: Record, protocol: Protocol, folder: Path, data: Data, clip_id: str) -> Figure:
    """What each unit that tested a clip saw in it, beside the annotators' votes and below some of its frames.

    A clip without votes has its label in their place. UsageError for a clip that no unit tested, or a video's frame.
    """
    distributions: dict[str, np.ndarray] = {}
    for unit in record.units:
        predictions = _test_predictions(unit, protocol, folder)
        if clip_id in predictions.ids:
            distributions[f"model, {_name(unit)}"] = predictions.probabilities[predictions.ids.index(clip_id)]
    if not distributions:
        raise UsageError(f"--clip {clip_id}: is not among the test clips of any unit in {folder}")
    tested = {clip.id: clip for fold in data.folds.values() for clip in fold.test}
    clip = tested.get(clip_id)
    if clip is None:
        raise UsageError(f"--clip {clip_id}: is one frame of a video; only whole clips are drawn")
    reader = open_clip(data.test_root / clip.frames[protocol.frame_source("test")])
    numbers = evenly(reader.count)
    return posterior_figure(
        {**_told_of(clip, protocol.classes, data.layout.votes_name), **distributions},
        protocol.classes,
        heading(record, f"Clip {clip_id}, labelled {clip.label}"),
        list(zip(numbers, reader.read(numbers), strict=True)),
    )


def _told_of(clip: Clip, classes: Sequence[str], votes_name: str) -> dict[str, np.ndarray]:
    """What a clip's predictions are held against, by its name: votes as shares (K,), or the clip's label alone."""
    votes = vote_shares(clip, classes)
    if votes is not None:
        return {votes_name: np.array(votes)}
    return {"label": np.array([float(name == clip.label) for name in classes])}


def _voted_clips(protocol: Protocol, data: Data) -> list[Clip]:
    """Every clip once; the test clips of a cross-dataset protocol are another dataset's, and without votes."""
    splits = ("train", "val") if protocol.test_on else ("train", "val", "test")
    clips = {clip.id: clip for fold in data.folds.values() for split in splits for clip in fold.split(split)}
    return [clips[name] for name in sorted(clips)]


def _test_predictions(unit: UnitRecord, protocol: Protocol, folder: Path) -> Predictions:
    return read_predictions(referenced_file(folder, unit.predictions.test), protocol.classes)


def _epochs(path: Path) -> list[_Epoch]:
    rows = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            rows.append(_Epoch.model_validate_json(line))
        except ValidationError as error:
            raise IntegrityError(problem_of(error, f"{path}: line {number}")) from error
    return rows


def _name(unit: UnitRecord) -> str:
    return f"seed {unit.seed}, fold {unit.fold}"
