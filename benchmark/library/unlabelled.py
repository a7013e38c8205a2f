"""`benchmark.unlabelled`: what a finished run's models see in the clips that everyone leaves out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmark.datasets.clips import read_unlabelled_clips
from benchmark.datasets.votes import vote_shares
from benchmark.errors import EnvironmentProblem, UsageError
from benchmark.finished.labels import root_for
from benchmark.finished.rescoring import FinishedSplit, Tally, read_finished
from benchmark.planning.data import load_data
from benchmark.registry import registry
from benchmark.running.again import checkpoints_among, predict_again
from benchmark.running.further import further
from benchmark.scoring.computing import compute_of_targets
from benchmark.scoring.group_jackknife import spread_of_targets
from benchmark.scoring.intervals import symmetric_interval, together
from benchmark.specs import MetricSpec
from benchmark.video.cache import cache_folder
from benchmark.watcher import Watcher

NAME = "unlabelled"


@dataclass(frozen=True)
class Unlabelled:
    """A run's scores against the votes of clips without a label.

    clips: how many there are. without_frames: how many more have votes and no frames here. units: those (seed, fold)
    whose checkpoints were here. metrics: a metric of votes and what it gives, by its name; `pooled` is over all units.
    """

    run: FinishedSplit
    clips: int
    without_frames: int
    units: tuple[tuple[int, int], ...]
    metrics: Mapping[str, tuple[MetricSpec, Tally]]


def unlabelled(
    run: Path | str,
    *,
    data_root: Path | str | None = None,
    weights: Sequence[Path | str] = (),
    device: str = "auto",
    watcher: Watcher | None = None,
) -> Unlabelled:
    """Predict the clips that have annotators' votes and no label by each unit's model, and score them by the votes.

    Nothing is trained, and no protocol trains on them, so that every fold's model may be asked. Votes for emotions
    outside the protocol's classes are left out. The arguments are those of `benchmark.robustness`, and so is what is
    kept.

    Raises UsageError for a dataset without such clips, EnvironmentProblem where it is missing, IntegrityError for
    checkpoints or data that are not the record's.
    """
    watcher = watcher or Watcher()
    found = read_finished(Path(run), "test")
    protocol, folder = found.protocol, found.path.parent
    layout = registry().find("datasets", protocol.dataset)
    if protocol.test_on is not None or not layout.read_unlabelled:
        raise UsageError(f"{protocol.name}: nothing is known of clips without a label in the dataset that it tests on")
    data = load_data(protocol, root_for([found.record], Path(data_root) if data_root else None), votes=True)
    known = [clip for clip in read_unlabelled_clips(layout, data.root) if vote_shares(clip, protocol.classes)]
    clips = [clip for clip in known if (data.root / clip.frames[protocol.frames.source]).exists()]
    if not clips:
        raise EnvironmentProblem(f"{data.root}: has no clip with votes, without a label, and with frames")
    shares = {clip.id: vote_shares(clip, protocol.classes) for clip in clips}
    targets: list[np.ndarray] = []
    probabilities: list[np.ndarray] = []
    units = []
    for unit, checkpoint in checkpoints_among(found.record, list(map(Path, weights)) or [folder]):
        again = partial(
            predict_again, found.record, unit, data, clips, checkpoint, device, cache=cache_folder() / "frames"
        )
        watcher.note(f"seed {unit.seed}, fold {unit.fold}: {len(clips)} clips without a label")
        place = (folder / unit.predictions.test.path).parent
        with further(place, unit.checkpoint_sha256, protocol.classes) as kept:
            made = kept.predictions(NAME, again)
        targets.append(np.array([shares[clip_id] for clip_id in made.ids]))
        probabilities.append(made.probabilities)
        units.append((unit.seed, unit.fold))
    metrics = [metric for metric in registry().metrics.values() if metric.input == "distributions"]
    return Unlabelled(
        run=found,
        clips=len(clips),
        without_frames=len(known) - len(clips),
        units=tuple(units),
        metrics={metric.name: (metric, _tally(metric, targets, probabilities)) for metric in metrics},
    )


def _tally(metric: MetricSpec, targets: Sequence[np.ndarray], probabilities: Sequence[np.ndarray]) -> Tally:
    """All units were asked about the same clips, so that these count once for the interval."""
    compute = compute_of_targets(metric)
    pairs = list(zip(targets, probabilities, strict=True))
    values = tuple(compute(*pair) for pair in pairs)
    spread = together([spread_of_targets(compute, *pair) for pair in pairs])
    pooled = compute(np.concatenate(targets), np.concatenate(probabilities))
    return Tally(values, pooled, symmetric_interval(float(np.mean(values)), spread))
