"""A finished run's scores by attribute of its clips, such as scene, subject or gender."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmark.datasets.scored import scored_ids
from benchmark.errors import UsageError
from benchmark.finished.answers import answers_of
from benchmark.finished.rescoring import FinishedSplit, clips_of
from benchmark.scoring.attributes import Gap, gap_by
from benchmark.scoring.computing import compute_of
from benchmark.specs import Clip, MetricSpec

UNKNOWN = "not stated"


def gaps_by(
    run: FinishedSplit, attribute: str, metrics: Sequence[MetricSpec], labels: Sequence[np.ndarray], root: Path | None
) -> list[Gap]:
    """Each metric of confusions by the values of an attribute that the run's dataset knows of its clips.

    labels: see `labels_of`. Raises UsageError for an attribute that no clip has, or that is the same for all.
    """
    by_unit = clips_of(run, root)
    values = [_values(clips, attribute, f"--by {attribute}") for clips in by_unit]
    names = sorted({value for of_clip in values for value in of_clip.values()})
    if len(names) < 2:
        raise UsageError(f"--by {attribute}: every clip has the same, {names[0]}")
    number = {name: position for position, name in enumerate(names)}
    answers = answers_of(run, labels)
    dealt = []
    for sha256 in answers:
        unit = next(place for place, one in enumerate(run.units) if one.splits.of(run.split).sha256 == sha256)
        dealt.append(np.array([number[values[unit][clip_id]] for clip_id in sorted(run.predictions[unit].ids)]))
    size = len(run.protocol.answer_names)
    return [
        gap_by(attribute, names, metric.name, compute_of(metric), list(answers.values()), dealt, size)
        for metric in metrics
    ]


def _values(clips: Sequence[Clip], attribute: str, where: str) -> dict[str, str]:
    """The attribute's value of everything that is scored, by its id."""
    known = sorted({name for clip in clips for name in clip.attributes})
    if attribute not in known:
        there = f"known are {', '.join(known)}" if known else "the dataset's lists say nothing but labels"
        raise UsageError(f"{where}: no clip of this dataset has such an attribute; {there}")
    return {name: clip.attributes.get(attribute, UNKNOWN) for clip in clips for name in scored_ids([clip])}
