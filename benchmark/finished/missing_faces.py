"""How much of a score is due to clips without a face: it is computed again without those with few or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.errors import UsageError
from benchmark.finished.rescoring import FinishedSplit, Tally, labels_of, tally_confusions
from benchmark.planning.data import load_data
from benchmark.scoring.metrics import confusion_matrix
from benchmark.specs import MetricSpec


@dataclass(frozen=True)
class WithFaces:
    """The scores over those clips whose face was found in at least the share `least` of their frames.

    clips, kept: predictions of all units together, and how many of them count. metrics: by name.
    """

    least: float
    clips: int
    kept: int
    metrics: dict[str, tuple[MetricSpec, Tally]]


def score_with_faces(
    run: FinishedSplit, least: float, metrics: Sequence[MetricSpec], data_root: Path | None
) -> WithFaces:
    """Score a run without the clips that have fewer faces. metrics: such as follow from a confusion.

    Raises UsageError where nobody knows in how many frames the faces are, or no clip is left of a unit, and what
    `labels_of` raises.
    """
    data = load_data(run.protocol, data_root, votes=False)
    if run.protocol.windows:
        raise UsageError(f"--faces-above: protocol {run.protocol.name} scores single frames, not clips")
    if not data.face_shares:
        raise UsageError(
            f"--faces-above: in how many frames the faces of {data.test_root} are found is not known; that is said by "
            "the crops.json of `benchmark data prepare`"
        )
    source = run.protocol.frame_source(run.split)
    confusions, clips, kept = [], 0, 0
    for unit, predictions, labels in zip(run.units, run.predictions, labels_of(run, data_root), strict=True):
        frames = {clip.id: clip.frames[source] for clip in data.folds[unit.fold].split(run.split)}
        shares = np.array([data.face_shares.get(frames[clip_id], 0.0) for clip_id in predictions.ids])
        enough = shares >= least
        if not enough.any():
            raise UsageError(f"--faces-above {least:g}: no clip is left of seed {unit.seed}, fold {unit.fold}")
        confusions.append(
            confusion_matrix(labels[enough], predictions.predicted[enough], len(run.protocol.answer_names))
        )
        clips, kept = clips + len(labels), kept + int(enough.sum())
    counts = np.array(confusions, dtype=np.int64)
    tallies = {metric.name: (metric, tally_confusions(metric, counts)) for metric in metrics}
    return WithFaces(least, clips, kept, tallies)
