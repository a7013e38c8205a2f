"""`benchmark.unlabelled`: what a finished run's models see in the clips that everyone leaves out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmark.datasets.clips import read_unlabelled_clips
from benchmark.datasets.splits import hash_ids
from benchmark.datasets.votes import vote_shares
from benchmark.errors import EnvironmentProblem, UsageError
from benchmark.finished.labels import root_for, votes_in
from benchmark.finished.rescoring import read_finished
from benchmark.planning.data import load_data
from benchmark.records import SplitUse
from benchmark.records.further import UNLABELLED, Unlabelled
from benchmark.records.further_scores import agreements, judged_by, vote_scores
from benchmark.registry import registry
from benchmark.running.again import checkpoints_among, predict_again
from benchmark.running.further import further, keep_result, place_of_results
from benchmark.video.cache import cache_folder
from benchmark.watcher import Watcher

NAME = "unlabelled"


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
    place = place_of_results(folder, found.record)
    layout = registry().find("datasets", protocol.dataset)
    if protocol.test_on is not None or not layout.read_unlabelled:
        raise UsageError(f"{protocol.name}: nothing is known of clips without a label in the dataset that it tests on")
    data = load_data(protocol, root_for([found.record], Path(data_root) if data_root else None), votes=True)
    known = [clip for clip in read_unlabelled_clips(layout, data.root) if vote_shares(clip, protocol.classes)]
    clips = [clip for clip in known if (data.root / clip.frames[protocol.frames.source]).exists()]
    if not clips:
        raise EnvironmentProblem(f"{data.root}: has no clip with votes, without a label, and with frames")
    votes = votes_in(data, protocol)
    targets: list[np.ndarray] = []
    probabilities: list[np.ndarray] = []
    judged: list[np.ndarray] = []
    predicted: list[np.ndarray] = []
    units = []
    for unit, checkpoint in checkpoints_among(found.record, list(map(Path, weights)) or [folder]):
        again = partial(
            predict_again, found.record, unit, data, clips, checkpoint, device, cache=cache_folder() / "frames"
        )
        watcher.note(f"seed {unit.seed}, fold {unit.fold}: {len(clips)} clips without a label")
        with further(place, unit, protocol.classes) as kept:
            made = kept.predictions(NAME, again)
            units.append(kept.asked(NAME))
        targets.append(np.array([votes[clip_id] for clip_id in made.ids]))
        probabilities.append(made.probabilities)
        shares, own = judged_by(votes, found.predictions[found.units.index(unit)])
        judged += [targets[-1], shares]
        predicted += [made.predicted, own]
    metrics = [metric for metric in registry().metrics.values() if metric.input == "distributions"]
    result = Unlabelled(
        clips=SplitUse(clips=len(clips), sha256=hash_ids([clip.id for clip in clips])),
        without_frames=len(known) - len(clips),
        units=units,
        metrics=vote_scores(metrics, targets, probabilities),
        agreement=agreements(judged, predicted),
    )
    keep_result(place / UNLABELLED, result)
    return result
