"""Answers of a system that is no method of this benchmark, such as a vision-language model: the file that holds them.

Its scores follow from its predictions as those of a record do. Of its training nothing is claimed but what its
publisher declares.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, StringConstraints, ValidationError

from benchmark.datasets.splits import hash_ids
from benchmark.errors import IntegrityError
from benchmark.files import read_bounded
from benchmark.protocol import Protocol
from benchmark.records.model import FileReference, Name, ProtocolUse, SplitUse, Summary
from benchmark.records.verify import referenced_file, rescored, same, stated_protocol
from benchmark.registry import registry
from benchmark.scoring.clipsets import ClipSet, spread_of_mean
from benchmark.scoring.intervals import interval
from benchmark.scoring.predictions import read_predictions
from benchmark.scoring.scores import FileModel, SplitScores, metric_functions, rounded
from benchmark.validation import problem_of

OUTSIDE = "system.json"
MOST_BYTES = 2**22

Text = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]


class Declared(FileModel):
    """What the publisher says of the system; nothing of it can be verified here.

    version: of the model, as its provider names it. prompt: the whole of it, or "none". inputs: what it was given of a
    clip. training: what it was trained on, as far as is known. citation: a paper or an address.
    """

    name: Name
    version: Name
    prompt: Text
    inputs: Annotated[list[Literal["frames", "audio", "text"]], Field(min_length=1)]
    training: Text
    citation: Text


class FoldAnswers(FileModel):
    """The answers on one fold's test clips, and their scores."""

    fold: int
    clips: SplitUse
    predictions: FileReference
    scores: SplitScores


class OutsideAnswers(FileModel):
    """A system's answers under one protocol. single: it gave one class for each clip, and no probabilities."""

    schema_version: Literal[1] = 1
    system: Declared
    protocol: ProtocolUse
    synthetic: bool
    single: bool
    folds: Annotated[list[FoldAnswers], Field(min_length=1)]


def read_outside(path: Path) -> OutsideAnswers:
    """Read and validate the file; IntegrityError names it, the key and what is wrong with it."""
    try:
        return OutsideAnswers.model_validate_json(read_bounded(path, MOST_BYTES, links=False))
    except ValidationError as error:
        raise IntegrityError(problem_of(error, str(path))) from error
    except OSError as error:
        raise IntegrityError(f"{path}: cannot be read: {error}") from error


def verify_outside(answers: OutsideAnswers, folder: Path, labels: Mapping[str, str] | None = None) -> None:
    """Recompute every score from the predictions files below `folder`; IntegrityError at the first difference.

    labels: class name by test clip id; without them the stored confusions are taken for the join, as for records.
    """
    where = folder / OUTSIDE
    protocol = stated_protocol(answers.protocol, where)
    metrics = list(registry().metrics.values())
    same([fold.fold for fold in answers.folds], list(protocol.folds), f"{where}: folds")
    for fold in answers.folds:
        here = f"{where}: fold {fold.fold}"
        predictions = read_predictions(referenced_file(folder, fold.predictions), protocol.classes)
        same(fold.clips.clips, len(predictions.ids), f"{here}: clips")
        same(fold.clips.sha256, hash_ids(predictions.ids), f"{here}: sha256 of the ids")
        if answers.single and not np.isin(predictions.probabilities, (0, 1)).all():
            raise IntegrityError(f"{here}: has probabilities, but says that it gave single answers")
        try:
            computed = rescored(fold.scores, predictions, protocol, labels, None, metrics)
        except IntegrityError as error:
            raise IntegrityError(f"{here}: {error}") from error
        same(fold.scores.model_dump(), computed.model_dump(), f"{here}: scores")


def outside_summary(answers: OutsideAnswers, protocol: Protocol) -> dict[str, Summary]:
    """The protocol's metrics over the folds, computed as those of a record with one seed."""
    confusions = np.array([fold.scores.confusion for fold in answers.folds], dtype=np.int64)
    shared: dict[str, list[FoldAnswers]] = {}
    for fold in answers.folds:
        shared.setdefault(fold.clips.sha256, []).append(fold)
    # The same clips in every fold have the same answers: they count once.
    tested = [_clip_set(folds[0]) for folds in shared.values()]
    summaries = {}
    for name, compute in metric_functions(protocol, list(registry().metrics.values())).items():
        values = np.asarray(compute(confusions))
        low, high = interval(float(values.mean()), spread_of_mean(compute, tested))
        summaries[name] = Summary(
            mean=rounded(values.mean()),
            std=rounded(values.std(ddof=1)) if len(values) > 1 else None,
            low=rounded(low),
            high=rounded(high),
            pooled=rounded(float(compute(confusions.sum(axis=0)))),
        )
    return summaries


def _clip_set(fold: FoldAnswers) -> ClipSet:
    confusion = np.array(fold.scores.confusion, dtype=np.int64)[None]
    clusters = None if fold.scores.clusters is None else fold.scores.cluster_counts()[None]
    return ClipSet(confusion, (fold.fold,), clusters)
