"""`benchmark.score`: a finished run scored again, with any metric and any grouping, from its predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.errors import BenchmarkError, IntegrityError, UsageError
from benchmark.finished.attributes import gaps_by
from benchmark.finished.labels import root_for
from benchmark.finished.missing_faces import WithFaces, score_with_faces
from benchmark.finished.rescoring import (
    ClassScores,
    FinishedSplit,
    Tally,
    class_scores,
    classes_of,
    confusions_by_class,
    confusions_by_sum,
    find_grouping,
    find_run,
    labels_of,
    tally_confusions,
    tally_predictions,
    vote_shares_of,
    votes_of,
)
from benchmark.protocol import Grouping
from benchmark.records import ScoredSplit, clip_sets
from benchmark.registry import registry
from benchmark.scoring.annotators import Ceiling, by_agreement, ceiling_of
from benchmark.scoring.attributes import Gap
from benchmark.scoring.clipsets import ClipSet
from benchmark.scoring.components import Components, components
from benchmark.scoring.computing import compute_of, counts_answers
from benchmark.specs import MetricSpec

# What a metric needs beside the predictions, by its `input`.
NEEDS = {"probabilities": "labels", "distributions": "annotators' votes"}
# The two ways of counting a grouping's predictions.
BY_CLASS, BY_SUM = "by class", "by summed probability"

# A metric and what it gives, by the metric's name.
Tallies = Mapping[str, tuple[MetricSpec, Tally]]


@dataclass(frozen=True)
class Scored:
    """A run's scores.

    metrics: those of the classes. classes: each class, of all units' predictions taken together. groupings, grouped:
    the groupings, and by name and way of counting their metrics. gaps: each metric of confusions by each attribute that
    was asked for. annotators: what the annotators themselves reach on these clips, None without their votes. agreement:
    right predictions by how many annotators agree, see `by_agreement`; empty without votes. spread: by metric of
    confusions, what its spread over units comes from. left_out: what could not be computed, and why. with_faces: the
    same metrics without clips that have few faces, if that was asked for.
    """

    run: FinishedSplit
    metrics: Tallies
    classes: tuple[ClassScores, ...]
    groupings: tuple[Grouping, ...]
    grouped: Mapping[str, Mapping[str, Tallies]]
    gaps: tuple[Gap, ...]
    annotators: Ceiling | None
    agreement: tuple[tuple[float, int, float], ...]
    spread: Mapping[str, Components]
    left_out: tuple[str, ...]
    with_faces: WithFaces | None = None


def score(
    run: Path | str,
    *,
    metrics: Sequence[str] = (),
    groupings: Sequence[str] = (),
    by: Sequence[str] = (),
    split: ScoredSplit = "test",
    data_root: Path | str | None = None,
    faces_above: float | None = None,
) -> Scored:
    """Score a finished run from its predictions; no model is run.

    run: a record, the folder that holds it, or one of its predictions files. metrics: by name, by default every one
    that can be computed. groupings: names, or YAML files with name, title and groups; by default the protocol's.
    by: attributes that the dataset knows of its clips, such as scene or subject. data_root: where the datasets lie, for
    metrics that need labels or votes. faces_above: score also without the clips whose face is found in a smaller share
    of their frames.

    Raises UsageError for unknown names, EnvironmentProblem if something that was asked for by name needs data that are
    not there, IntegrityError for a run that does not agree with its predictions.
    """
    named = [registry().find("metrics", name) for name in dict.fromkeys(metrics)]
    found = find_run(Path(run), split)
    asked = [find_grouping(text, found.protocol) for text in dict.fromkeys(groupings)]
    names = [grouping.name for grouping in asked]
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise UsageError(f"--grouping: two are called '{min(repeated)}'; give them different names")
    chosen = named or list(registry().metrics.values())
    by_confusion = [metric for metric in chosen if counts_answers(metric, found.protocol)]
    strange = [metric.name for metric in named if metric.input == "blends" and metric not in by_confusion]
    if strange:
        raise UsageError(f"--metric {strange[0]}: is of blends, which {found.protocol.name} does not score")
    if not asked and by_confusion:
        asked = list(found.protocol.groupings)
    root = Path(data_root) if data_root else None
    targets, problems = _targets(found, chosen, bool(named), bool(asked or by), root)
    # A grouping that was asked for beside metrics without a confusion is scored as the protocol would.
    coarse = by_confusion or [registry().find("metrics", name) for name in found.protocol.metrics]
    tested = clip_sets(found.units, found.split)
    return Scored(
        run=found,
        metrics={
            metric.name: (metric, tally) for metric in chosen if (tally := _tally(found, metric, tested, targets))
        },
        classes=tuple(class_scores(found)),
        with_faces=None
        if faces_above is None
        else score_with_faces(found, faces_above, by_confusion, root_for([found.record], root)),
        groupings=tuple(asked),
        grouped={grouping.name: _grouped(found, grouping, coarse, targets) for grouping in asked},
        gaps=tuple(
            gap
            for attribute in dict.fromkeys(by)
            for gap in gaps_by(found, attribute, coarse, targets["labels"], root_for([found.record], root))
        ),
        annotators=_annotators(found, targets, root),
        agreement=tuple(_agreement(found, targets)),
        spread={metric.name: components(compute_of(metric), tested) for metric in by_confusion},
        left_out=tuple(
            _left_out(
                [metric.name for metric in chosen if metric.input == kind]
                + [f"{grouping.name} {BY_SUM}" for grouping in asked if kind == "probabilities"],
                kind,
                problem,
            )
            for kind, problem in problems.items()
        ),
    )


def _targets(
    run: FinishedSplit, metrics: Sequence[MetricSpec], named: bool, grouped: bool, data_root: Path | None
) -> tuple[dict[str, list[np.ndarray]], dict[str, BenchmarkError]]:
    """What the metrics compare predictions with, by their `input`, and why the rest is not there.

    The true answers are there under `labels`; where they are classes, under `probabilities` too. What is asked for by
    name, or by a data root, must be there; what is not is left out.
    """
    root = root_for([run.record], data_root)
    targets: dict[str, list[np.ndarray]] = {}
    problems: dict[str, BenchmarkError] = {}
    refused: list[tuple[BenchmarkError, str]] = []
    for kind, read in (("probabilities", classes_of), ("distributions", vote_shares_of)):
        needing = [metric.name for metric in metrics if metric.input == kind]
        needs_labels = kind == "probabilities" and not run.protocol.answers
        if not needing and not (grouped and needs_labels):
            continue
        try:
            targets[kind] = read(run, root)
        except BenchmarkError as error:
            problems[kind] = error
            if named and needing:
                refused.append((error, _left_out(needing, kind, error)))
            elif data_root is not None and (needs_labels or isinstance(error, IntegrityError)):
                raise
    if "probabilities" in targets:
        targets["labels"] = targets["probabilities"]
    elif run.protocol.answers and grouped:
        targets["labels"] = labels_of(run, root)
    if refused:
        raise type(refused[0][0])("\n".join(message for _, message in refused))
    return targets, problems


def _annotators(run: FinishedSplit, targets: Mapping[str, list[np.ndarray]], root: Path | None) -> Ceiling | None:
    """What the annotators reach, each clip counting once however many units were scored on it."""
    if "distributions" not in targets or registry().find("datasets", run.protocol.dataset).stated:
        return None
    counts: dict[str, np.ndarray] = {}
    for predictions, votes in zip(run.predictions, votes_of(run, root_for([run.record], root)), strict=True):
        counts.update(zip(predictions.ids, votes, strict=True))
    try:
        return ceiling_of(np.stack(list(counts.values())))
    except ValueError:
        return None  # weights, or single votes: nobody to be held against the others


def _left_out(names: Sequence[str], kind: str, problem: BenchmarkError) -> str:
    return f"{', '.join(names)}: needs {NEEDS[kind]}: {str(problem).partition(chr(10))[0]}"


def _agreement(run: FinishedSplit, targets: Mapping[str, list[np.ndarray]]) -> list[tuple[float, int, float]]:
    if not {"probabilities", "distributions"} <= set(targets):
        return []
    pairs = zip(targets["probabilities"], run.predictions, strict=True)
    right = np.concatenate([own == predictions.predicted for own, predictions in pairs])
    return by_agreement(np.concatenate(targets["distributions"]), right)


def _tally(
    run: FinishedSplit, metric: MetricSpec, tested: Sequence[ClipSet], targets: Mapping[str, list[np.ndarray]]
) -> Tally | None:
    if counts_answers(metric, run.protocol):
        return tally_confusions(metric, run.confusions, tested)
    if metric.input in targets:
        return tally_predictions(metric, targets[metric.input], run)
    return None


def _grouped(
    run: FinishedSplit, grouping: Grouping, metrics: Sequence[MetricSpec], targets: Mapping[str, list[np.ndarray]]
) -> dict[str, Tallies]:
    """The metrics of a grouping's confusions, by the two ways of counting."""
    confusions = {BY_CLASS: confusions_by_class(run, grouping)}
    if "probabilities" in targets:
        confusions[BY_SUM] = confusions_by_sum(run, targets["probabilities"], grouping)
    return {
        way: {metric.name: (metric, tally_confusions(metric, counts)) for metric in metrics}
        for way, counts in confusions.items()
    }
