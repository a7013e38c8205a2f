"""A finished run scored again from its predictions, with any metric and any grouping; no model is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmark.datasets.scored import scored_clusters, scored_ids, true_answers
from benchmark.datasets.splits import hash_ids
from benchmark.errors import IntegrityError, UsageError
from benchmark.planning.data import Data, load_data
from benchmark.protocol import Grouping, Protocol
from benchmark.protocol.reading import read_grouping, validated
from benchmark.records import (
    RECORD,
    SCORED_SPLITS,
    Record,
    ScoredSplit,
    UnitRecord,
    clip_sets,
    protocol_of,
    read_record,
    record_path,
    verify_record,
)
from benchmark.registry import registry
from benchmark.scoring.clipsets import ClipSet, spread_of_mean
from benchmark.scoring.computing import compute_of, compute_of_targets
from benchmark.scoring.group_jackknife import spread_of_targets
from benchmark.scoring.intervals import Spread, combined, interval, symmetric_interval, together
from benchmark.scoring.metrics import (
    confusion_matrix,
    group_confusion,
    per_class_f1,
    per_class_precision,
    per_class_recall,
)
from benchmark.scoring.predictions import Predictions, read_predictions
from benchmark.scoring.probabilities import summed_group_confusion
from benchmark.scoring.scores import SplitScores, answered, recall_interval
from benchmark.shipped import shipped
from benchmark.specs import Clip, MetricSpec


@dataclass(frozen=True)
class FinishedSplit:
    """One split of a finished run: its units, the predictions of each, and their stored confusions (U, K, K)."""

    path: Path
    record: Record
    protocol: Protocol
    split: ScoredSplit
    predictions: tuple[Predictions, ...]
    confusions: np.ndarray

    @property
    def units(self) -> list[UnitRecord]:
        """The finished units, in the order of everything that is listed by unit."""
        return self.record.units


@dataclass(frozen=True)
class Tally:
    """One metric over a run's units: its value for each, and of all of them taken together.

    interval: 95 %, of the mean over units, for the choice of clips; None where it was not asked for.
    """

    values: tuple[float, ...]
    pooled: float
    interval: tuple[float, float] | None = None

    @property
    def mean(self) -> float:
        """Mean over units."""
        return float(np.mean(self.values))

    @property
    def std(self) -> float | None:
        """Sample standard deviation (n - 1) over units, None for a single one."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else None


@dataclass(frozen=True)
class ClassScores:
    """One class, of all units' predictions taken together; NaN where something is not defined.

    predictions: how many are of clips of this class. low, high: 95 % interval of the recall, Wilson's where clips are
    independent.
    """

    name: str
    predictions: int
    precision: float
    recall: float
    low: float
    high: float
    f1: float


def read_finished(run: Path, split: ScoredSplit) -> FinishedSplit:
    """The record at `run` (a file, or the folder that holds it), verified against the predictions beside it.

    Raises IntegrityError for a record that does not agree with its predictions, UsageError if it has no such split.
    """
    path = record_path(run)
    record = read_record(path)
    verify_record(record, path.parent, metrics=tuple(registry().metrics.values()))
    protocol = protocol_of(record, path)
    if not record.units:
        raise UsageError(f"{path}: has no finished unit, so there is nothing to score")
    if split not in protocol.predicted_splits:
        raise UsageError(f"--split {split}: protocol {protocol.name} holds out no clips for validation")
    stored: list[SplitScores] = [unit.scores.of(split) for unit in record.units]
    files = [path.parent / unit.predictions.of(split).path for unit in record.units]
    return FinishedSplit(
        path=path,
        record=record,
        protocol=protocol,
        split=split,
        predictions=tuple(
            answered(read_predictions(file, protocol.classes), protocol, scores.thresholds)
            for file, scores in zip(files, stored, strict=True)
        ),
        confusions=np.array([scores.confusion for scores in stored], dtype=np.int64),
    )


def find_run(path: Path, split: ScoredSplit) -> FinishedSplit:
    """The run at `path`, or the one unit and split of a run whose predictions file that is; see `read_finished`.

    Raises UsageError for a predictions file that belongs to no record in the folders above it.
    """
    if not path.name.endswith(".csv.gz"):
        return read_finished(path, split)
    place = next((folder for folder in path.resolve().parents if (folder / RECORD).is_file()), None)
    if place is None:
        raise UsageError(f"{path}: is not part of a finished run: there is no {RECORD} in the folders above it")
    whole = read_record(place / RECORD)
    for name in SCORED_SPLITS:
        for number, unit in enumerate(whole.units):
            reference = unit.predictions[name]
            if reference is not None and place / reference.path == path.resolve():
                run = read_finished(place, name)
                record = run.record.model_copy(update={"units": [run.units[number]]})
                one = slice(number, number + 1)
                return replace(run, record=record, predictions=run.predictions[one], confusions=run.confusions[one])
    raise UsageError(f"{path}: is not a predictions file of {place / RECORD}")


def labels_of(run: FinishedSplit, data_root: Path | None) -> list[np.ndarray]:
    """For each unit the indices (N,) of its clips' true answers, in the order of its predictions.

    Raises EnvironmentProblem where the dataset is not found, IntegrityError if its clips or their labels are others
    than those that the run was scored on.
    """
    data = load_data(run.protocol, data_root, votes=False)
    index = {name: position for position, name in enumerate(run.protocol.answer_names)}
    labels = []
    for unit, predictions, confusion in zip(run.units, run.predictions, run.confusions, strict=True):
        clips = _same_clips(run, unit, data)
        known = true_answers(clips, run.protocol)
        if run.protocol.clustered_by and predictions.clusters is not None:
            clusters = scored_clusters(clips, run.protocol.clustered_by)
            if predictions.clusters != tuple(clusters[clip_id] for clip_id in predictions.ids):
                raise IntegrityError(
                    f"{run.path}: seed {unit.seed}, fold {unit.fold}: the data in {data.root} give the clips of this "
                    f"run another {run.protocol.clustered_by}"
                )
        own = np.array([index[known[clip_id]] for clip_id in predictions.ids], dtype=np.int64)
        if (confusion_matrix(own, predictions.predicted, len(index)) != confusion).any():
            raise IntegrityError(
                f"{run.path}: seed {unit.seed}, fold {unit.fold}: the data in {data.root} have the {run.split} clips "
                "that this run was scored on, but other labels"
            )
        labels.append(own)
    return labels


def classes_of(run: FinishedSplit, data_root: Path | None) -> list[np.ndarray]:
    """As `labels_of`, where these are classes; UsageError where they are blends."""
    if run.protocol.answers:
        raise UsageError(f"the clips of {run.protocol.name} show {run.protocol.answers}, not one class each")
    return labels_of(run, data_root)


def clips_of(run: FinishedSplit, data_root: Path | None) -> list[tuple[Clip, ...]]:
    """For each unit the clips that it was scored on; raises as `labels_of`."""
    data = load_data(run.protocol, data_root, votes=False)
    return [_same_clips(run, unit, data) for unit in run.units]


def vote_shares_of(run: FinishedSplit, data_root: Path | None) -> list[np.ndarray]:
    """For each unit its clips' shares of the annotators' votes (N, K), in the order of its predictions.

    Votes for emotions outside the protocol's classes are left out, as in training. Raises as `votes_of`, and
    IntegrityError for a clip without a vote for any of the classes.
    """
    shares = []
    for predictions, votes in zip(run.predictions, votes_of(run, data_root), strict=True):
        total = votes.sum(axis=1, keepdims=True)
        if not total.all():
            clip_id = predictions.ids[int(np.argmin(total))]
            raise IntegrityError(f"clip {clip_id}: no vote for any of {list(run.protocol.classes)}")
        shares.append(votes / total)
    return shares


def votes_of(run: FinishedSplit, data_root: Path | None) -> list[np.ndarray]:
    """For each unit its clips' votes (N, K) for the protocol's classes, in the order of its predictions.

    Raises UsageError where there are no votes, EnvironmentProblem where the dataset is not found, IntegrityError for
    other clips than the run's.
    """
    layout = registry().find("datasets", run.protocol.dataset)
    if run.protocol.test_on and run.split == "test":
        raise UsageError(f"protocol {run.protocol.name} tests on another dataset, whose votes are not read")
    if not layout.votes:
        raise UsageError(f"{layout.title} has no annotators' votes")
    data = load_data(run.protocol, data_root, votes=True)
    found = []
    for unit, predictions in zip(run.units, run.predictions, strict=True):
        clips = {clip.id: clip.votes or {} for clip in _same_clips(run, unit, data)}
        rows = [[clips[clip_id].get(name, 0.0) for name in run.protocol.classes] for clip_id in predictions.ids]
        found.append(np.array(rows, dtype=np.float64))
    return found


def find_grouping(text: str, protocol: Protocol) -> Grouping:
    """The protocol's grouping called `text`, a built-in one, or the one in a YAML file, for the protocol's classes.

    Raises UsageError where there is none, or it does not hold each class exactly once.
    """
    for grouping in protocol.groupings:
        if grouping.name == text:
            return grouping
    built_in = shipped("protocols") / "groupings"
    path = Path(text) if text.endswith((".yaml", ".yml")) else built_in / f"{text}.yaml"
    if not path.is_file():
        known = sorted({*(file.stem for file in built_in.glob("*.yaml")), *(g.name for g in protocol.groupings)})
        raise UsageError(f"--grouping {text}: no such file or name; known: {', '.join(known)}")
    value = read_grouping(path, protocol.classes)
    return validated({**protocol.canonical(), "groupings": [value]}, str(path)).groupings[0]


def tally_confusions(metric: MetricSpec, confusions: np.ndarray, tested: Sequence[ClipSet] = ()) -> Tally:
    """A metric of confusions (U, K, K), one for each unit; pooled is that of their sum.

    tested: the units by the clips that they share, for an interval.
    """
    compute = compute_of(metric)
    values = tuple(float(value) for value in compute(confusions))
    found = interval(float(np.mean(values)), spread_of_mean(compute, tested)) if tested else None
    return Tally(values, float(compute(confusions.sum(axis=0))), found)


def tally_predictions(metric: MetricSpec, targets: Sequence[np.ndarray], run: FinishedSplit) -> Tally:
    """A metric of each unit's targets, labels (N,) or vote shares (N, K); pooled is that of all units' clips."""
    compute = compute_of_targets(metric)
    probabilities = [each.probabilities for each in run.predictions]
    values = tuple(compute(*unit) for unit in zip(targets, probabilities, strict=True))
    clusters = [None if each.clusters is None else np.array(each.clusters) for each in run.predictions]
    spreads = [spread_of_targets(compute, *unit) for unit in zip(targets, probabilities, clusters, strict=True)]
    shared: dict[str, list[Spread]] = {}
    for unit, spread in zip(run.units, spreads, strict=True):
        shared.setdefault(unit.splits.of(run.split).sha256, []).append(spread)
    weights = [len(own) / len(spreads) for own in shared.values()]
    found = symmetric_interval(float(np.mean(values)), combined([together(own) for own in shared.values()], weights))
    return Tally(values, compute(np.concatenate(targets), np.concatenate(probabilities)), found)


def class_scores(run: FinishedSplit) -> list[ClassScores]:
    """Each class, or answer, of the protocol, in its order.

    Units that scored the same clips (other seeds) tell nothing new of how those were drawn: for the interval, each clip
    counts once.
    """
    pooled = run.confusions.sum(axis=0)
    precision, recall, f1 = per_class_precision(pooled), per_class_recall(pooled), per_class_f1(pooled)
    sets = clip_sets(run.units, run.split)
    rows = []
    for k, name in enumerate(run.protocol.answer_names):
        predictions = int(pooled[k].sum())
        low, high = recall_interval(sets, k) if predictions else (float("nan"), float("nan"))
        rows.append(ClassScores(name, predictions, float(precision[k]), float(recall[k]), low, high, float(f1[k])))
    return rows


def confusions_by_class(run: FinishedSplit, grouping: Grouping) -> np.ndarray:
    """Counts (U, G, G) by group, a prediction counting for the group of its most probable class."""
    return group_confusion(run.confusions, run.protocol.classes, grouping.groups)


def confusions_by_sum(run: FinishedSplit, labels: Sequence[np.ndarray], grouping: Grouping) -> np.ndarray:
    """Counts (U, G, G) by group, a prediction counting for the group with the largest summed probability."""
    return np.array(
        [
            summed_group_confusion(own, predictions.probabilities, run.protocol.classes, grouping.groups)
            for own, predictions in zip(labels, run.predictions, strict=True)
        ]
    )


def _same_clips(run: FinishedSplit, unit: UnitRecord, data: Data) -> tuple[Clip, ...]:
    clips = data.folds[unit.fold].split(run.split)
    if hash_ids(scored_ids(clips)) != unit.splits.of(run.split).sha256:
        root = data.test_root if run.split == "test" else data.root
        raise IntegrityError(
            f"{run.path}: seed {unit.seed}, fold {unit.fold}: the data in {root} have other {run.split} clips than "
            "this run; give the data that it was run on (a run with --limit cannot be compared with labels again)"
        )
    return clips
