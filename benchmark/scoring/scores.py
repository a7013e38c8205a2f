"""Scores of one unit on one split: where predictions meet labels."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from benchmark.errors import IntegrityError, UsageError
from benchmark.plugin_functions import ScoreConfusion
from benchmark.protocol import Protocol
from benchmark.scoring.blends import fit_thresholds, given_blends
from benchmark.scoring.clipsets import ClipSet, spread_over_clips
from benchmark.scoring.computing import compute_of, counts_answers
from benchmark.scoring.intervals import interval, jackknife, wilson_interval
from benchmark.scoring.metrics import confusion_matrix, group_confusion
from benchmark.scoring.predictions import Predictions
from benchmark.specs import MetricSpec

# Scores are kept to this many decimals, so that a recomputed score can be compared digit by digit on any machine:
# the last bits of a float depend on the order in which a CPU adds.
DECIMALS = 10


class FileModel(BaseModel):
    """A value at a file's border: frozen, no unknown keys, no silent conversions, no NaN or infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Estimate(FileModel):
    """A score in 0..1 and its 95 % interval."""

    value: float = Field(ge=0, le=1)
    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)


class Thresholds(FileModel):
    """By which probabilities become blends, see `benchmark.scoring.blends`; chosen on the fold's own val."""

    presence: float = Field(ge=0, le=1)
    salience: float = Field(ge=0, le=1)


class SplitScores(FileModel):
    """Every score of one split; all of them follow from `confusion`.

    Its rows are true classes, in protocol order, or the true ones of the protocol's `answer_names`.

    clusters: where clips are not independent, the counts of each cluster, in the order of the clusters' names: true
        class, predicted class, number of clips. They sum to `confusion`.
    recall: per class with Wilson's interval (with clusters, the jackknife's), or None for a class without true clips.
    groupings: the metrics again, on the confusion of each of the protocol's groupings.
    collapsed: classes that have true clips, none of which was recognised.
    thresholds: by which the predictions were made answers; None where an answer is the most probable class.
    """

    clips: int = Field(ge=1, le=10**9)
    confusion: tuple[tuple[int, ...], ...]
    clusters: tuple[tuple[tuple[int, int, int], ...], ...] | None = None
    metrics: dict[str, Estimate]
    recall: dict[str, Estimate | None]
    groupings: dict[str, dict[str, Estimate]]
    collapsed: list[str]
    thresholds: Thresholds | None = None

    @model_serializer(mode="wrap")
    def _as_it_was(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without thresholds, exactly what was published before there were any."""
        return {key: value for key, value in plain(self).items() if key != "thresholds" or value is not None}

    @model_validator(mode="after")
    def _counts(self) -> SplitScores:
        size = len(self.confusion)
        if any(len(row) != size or min(row, default=0) < 0 for row in self.confusion):
            raise ValueError("confusion: must be a square of counts")
        if sum(map(sum, self.confusion)) != self.clips:
            raise ValueError(f"confusion: counts {sum(map(sum, self.confusion))} clips, clips says {self.clips}")
        if self.clusters is not None:
            for true, predicted, clips in (cell for cluster in self.clusters for cell in cluster):
                if not (0 <= true < size and 0 <= predicted < size and clips > 0):
                    raise ValueError(f"clusters: no such class or number of clips: {[true, predicted, clips]}")
            if self.cluster_counts().sum(axis=0).tolist() != [list(row) for row in self.confusion]:
                raise ValueError("clusters: do not sum to confusion")
        return self

    def cluster_counts(self) -> np.ndarray:
        """The confusions (C, K, K) of the clusters; there must be some."""
        assert self.clusters is not None
        counts = np.zeros((len(self.clusters), len(self.confusion), len(self.confusion)), dtype=np.int64)
        for number, cluster in enumerate(self.clusters):
            for true, predicted, clips in cluster:
                counts[number, true, predicted] += clips
        return counts


def choose_thresholds(predictions: Predictions, labels: Mapping[str, str], protocol: Protocol) -> Thresholds | None:
    """The thresholds that fit the labels of val best; None where an answer is the most probable class.

    labels: the true answer by clip id. Raises as `score_split`.
    """
    if protocol.answers is None:
        return None
    true = _true(predictions, labels, protocol)
    presence, salience = fit_thresholds(true, predictions.probabilities, protocol.classes)
    return Thresholds(presence=presence, salience=salience)


def answered(predictions: Predictions, protocol: Protocol, thresholds: Thresholds | None) -> Predictions:
    """The predictions with their answers; IntegrityError unless there are thresholds exactly where they are needed."""
    if (thresholds is None) != (protocol.answers is None):
        what = "are no thresholds, which" if thresholds is None else "are thresholds, which only"
        raise IntegrityError(f"thresholds: there {what} the answers of {protocol.answers or 'blends'} need")
    if thresholds is None:
        return predictions
    given = given_blends(predictions.probabilities, protocol.classes, thresholds.presence, thresholds.salience)
    return replace(predictions, answers=given)


def score_split(
    predictions: Predictions,
    labels: Mapping[str, str],
    protocol: Protocol,
    metrics: Sequence[MetricSpec],
    thresholds: Thresholds | None = None,
) -> SplitScores:
    """Score predictions against `labels` (class, or answer, by clip id), which must name exactly the same clips.

    A clip counts for its most probable class; of equally probable ones, for the first in the protocol's class order.
    Where the protocol scores other answers, `thresholds` make them.
    Raises IntegrityError when a labelled clip has no prediction, a prediction has no label, a label is not one of the
    protocol's classes, or the predictions do not name the clusters that the protocol speaks of.
    """
    check_clusters(predictions, protocol)
    true = _true(predictions, labels, protocol)
    predicted, numbers = answered(predictions, protocol, thresholds).predicted, predictions.cluster_numbers
    size = len(protocol.answer_names)
    confusion = confusion_matrix(true, predicted, size)
    if numbers is None:
        return score_confusion(confusion, protocol, metrics, thresholds=thresholds)
    order = np.argsort(numbers, kind="stable")
    starts = np.flatnonzero(np.diff(numbers[order])) + 1
    clusters = [confusion_matrix(true[own], predicted[own], size) for own in np.split(order, starts)]
    return score_confusion(confusion, protocol, metrics, np.stack(clusters), thresholds)


def _true(predictions: Predictions, labels: Mapping[str, str], protocol: Protocol) -> np.ndarray:
    """The true answers (N,) of the predicted clips, which must be the labelled ones."""
    predicted_ids, labelled_ids = set(predictions.ids), set(labels)
    _none_left(labelled_ids - predicted_ids, "labelled clips have no prediction")
    _none_left(predicted_ids - labelled_ids, "predicted clips have no label")
    index = {name: position for position, name in enumerate(protocol.answer_names)}
    unknown = {label for label in labels.values() if label not in index}
    _none_left(unknown, f"labels are not among the classes of {protocol.name}")
    return np.array([index[labels[clip_id]] for clip_id in predictions.ids], dtype=np.int64)


def check_clusters(predictions: Predictions, protocol: Protocol) -> None:
    """IntegrityError unless predictions name clusters exactly where the protocol's clips are not independent."""
    if (predictions.clusters is None) != (protocol.clustered_by is None):
        what = (
            f"do not name the {protocol.clustered_by} of each clip, as {protocol.name} needs; predict again"
            if protocol.clustered_by
            else f"name clusters, but the clips of {protocol.name} are independent"
        )
        raise IntegrityError(f"the predictions {what}")
    if protocol.windows is None or predictions.clusters is None:
        return
    known: dict[str, str] = {}
    for frame, cluster in zip(predictions.ids, predictions.clusters, strict=True):
        if known.setdefault(frame.rpartition("/")[0], cluster) != cluster:
            raise IntegrityError(f"the predictions name two clusters for the frames of one video: see {frame!r}")


def score_confusion(
    confusion: np.ndarray,
    protocol: Protocol,
    metrics: Sequence[MetricSpec],
    clusters: np.ndarray | None = None,
    thresholds: Thresholds | None = None,
) -> SplitScores:
    """All scores that follow from confusion counts (K, K) and those (C, K, K) of its clusters; needs a clip."""
    if confusion.sum() < 1:
        raise IntegrityError(f"nothing to score: no clips in this split of {protocol.name}")
    computes = metric_functions(protocol, metrics)
    tested = ClipSet(confusion[None], (0,), None if clusters is None else clusters[None])
    groupings = {
        grouping.name: {
            name: _estimate(in_groups(compute, protocol.classes, grouping.groups), tested)
            for name, compute in computes.items()
        }
        for grouping in protocol.groupings
    }
    counts = [[int(cell) for cell in row] for row in confusion]
    correct = {name: (counts[k][k], sum(counts[k])) for k, name in enumerate(protocol.answer_names)}
    return SplitScores(
        clips=int(confusion.sum()),
        confusion=tuple(tuple(row) for row in counts),
        clusters=None if clusters is None else tuple(map(_cells, clusters)),
        metrics={name: _estimate(compute, tested) for name, compute in computes.items()},
        recall={name: _recall(tested, k) for k, name in enumerate(protocol.answer_names)},
        groupings=groupings,
        collapsed=[name for name, (right, total) in correct.items() if total and not right],
        thresholds=thresholds,
    )


def metric_functions(protocol: Protocol, metrics: Sequence[MetricSpec]) -> dict[str, ScoreConfusion]:
    """The protocol's metrics by name, in its order; UsageError for one that nobody provides, or of other answers."""
    known = {metric.name: metric for metric in metrics}
    missing = [name for name in protocol.metrics if name not in known]
    if missing:
        raise UsageError(
            f"protocol {protocol.name}: no installed plugin provides the metric {', '.join(missing)}; "
            f"`benchmark list metrics` names those there are"
        )
    unfit = [name for name in protocol.metrics if not counts_answers(known[name], protocol)]
    if unfit:
        raise UsageError(f"protocol {protocol.name}: metrics: '{unfit[0]}' does not follow from its confusions")
    return {name: compute_of(known[name]) for name in protocol.metrics}


def rounded(value: float) -> float:
    """A score as it is stored."""
    return round(float(value), DECIMALS)


def _cells(confusion: np.ndarray) -> tuple[tuple[int, int, int], ...]:
    return tuple((int(true), int(guess), int(confusion[true, guess])) for true, guess in np.argwhere(confusion))


def in_groups(compute: ScoreConfusion, classes: Sequence[str], groups: Mapping[str, Sequence[str]]) -> ScoreConfusion:
    """A metric of a grouping, as a function of the classes' confusions."""
    return lambda confusions: compute(group_confusion(confusions, classes, groups))


def recall_interval(tested: Sequence[ClipSet], number: int) -> tuple[float, float]:
    """95 % interval of the recall of a class that has clips, all units of all sets being taken together.

    Clips that several units predicted count once. It is Wilson's; with clusters, the jackknife over those that hold the
    class.
    """
    if any(one.clusters is None for one in tested):
        means = sum(one.confusions[:, number].mean(axis=0) for one in tested)
        return wilson_interval(round(means[number]), round(means.sum()))
    means = np.concatenate([one.clusters[:, :, number].mean(axis=0) for one in tested if one.clusters is not None])
    right, clips = means[:, number], means.sum(axis=1)
    right, clips = right[clips > 0], clips[clips > 0]
    value = float(right.sum() / clips.sum())
    if len(clips) < 2:
        return 0.0, 1.0
    return interval(value, jackknife(value, (right.sum() - right) / (clips.sum() - clips)))


def _estimate(compute: ScoreConfusion, tested: ClipSet) -> Estimate:
    value = float(np.mean(compute(tested.confusions)))
    low, high = interval(value, spread_over_clips(compute, tested))
    return Estimate(value=rounded(value), low=rounded(low), high=rounded(high))


def _recall(tested: ClipSet, number: int) -> Estimate | None:
    confusion = tested.confusions[0]
    if not confusion[number].any():
        return None
    low, high = recall_interval([tested], number)
    return Estimate(
        value=rounded(confusion[number, number] / confusion[number].sum()), low=rounded(low), high=rounded(high)
    )


def _none_left(names: Collection[str], what: str) -> None:
    if names:
        first = ", ".join(repr(name) for name in sorted(names)[:5])
        more = ", ..." if len(names) > 5 else ""
        raise IntegrityError(f"{len(names)} {what}: {first}{more}")
