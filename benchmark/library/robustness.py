"""`benchmark.robustness`: a finished run's scores on spoiled clips (DFER-C); nothing is trained again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmark.finished.labels import root_for
from benchmark.finished.rescoring import FinishedSplit, labels_of, read_finished
from benchmark.planning.data import load_data
from benchmark.registry import registry
from benchmark.running.again import checkpoints_among, predict_again
from benchmark.running.further import further
from benchmark.scoring.computing import compute_of
from benchmark.scoring.metrics import confusion_matrix
from benchmark.specs import MetricSpec
from benchmark.video.cache import cache_folder
from benchmark.video.corruptions import CORRUPTIONS, LITE, SEVERITIES
from benchmark.watcher import Watcher


@dataclass(frozen=True)
class Robust:
    """One metric on clean and on spoiled clips, each the mean over units, in the metric's own unit.

    by_corruption: for each corruption the score at each severity.
    """

    metric: MetricSpec
    clean: float
    by_corruption: Mapping[str, tuple[float, ...]]

    @property
    def corrupted(self) -> float:
        """The mean corrupted score: over severities, then over corruptions."""
        return float(np.mean([np.mean(scores) for scores in self.by_corruption.values()]))

    @property
    def relative(self) -> float:
        """The mean corrupted score as a share of the clean one; NaN where that is 0."""
        return self.corrupted / self.clean if self.clean else float("nan")


@dataclass(frozen=True)
class Robustness:
    """A run's robustness, by each metric of its protocol; of the units (seed, fold) whose checkpoints were here."""

    run: FinishedSplit
    severities: tuple[int, ...]
    units: tuple[tuple[int, int], ...]
    metrics: tuple[Robust, ...]


def robustness(
    run: Path | str,
    *,
    data_root: Path | str | None = None,
    weights: Sequence[Path | str] = (),
    lite: bool = False,
    device: str = "auto",
    watcher: Watcher | None = None,
) -> Robustness:
    """Predict a finished run's test clips again, spoiled in eight ways of five severities, and score that.

    run: a record, or the folder that holds it; its checkpoints lie there, or among `weights` (files or folders), and
    are told by their SHA-256. What was predicted is kept below each unit's `further/`, so that an interrupted call goes
    on. lite: the middle severity alone.

    Raises UsageError for a protocol without labelled clips of its own, EnvironmentProblem where the data are missing,
    IntegrityError for checkpoints or data that are not the record's.
    """
    watcher = watcher or Watcher()
    found = read_finished(Path(run), "test")
    folder = found.path.parent
    root = root_for([found.record], Path(data_root) if data_root else None)
    labels = labels_of(found, root)
    data = load_data(found.protocol, root, votes=False)
    severities = (LITE,) if lite else SEVERITIES
    wanted = [(name, severity) for name in CORRUPTIONS for severity in severities]
    cache = cache_folder() / "frames"
    clean: list[np.ndarray] = []
    spoiled: list[np.ndarray] = []
    units = []
    checkpoints = checkpoints_among(found.record, list(map(Path, weights)) or [folder])
    for unit, checkpoint in checkpoints:
        number = found.units.index(unit)
        clips = data.folds[unit.fold].test
        true = dict(zip(found.predictions[number].ids, labels[number].tolist(), strict=True))
        confusions = []
        with (
            watcher.counting(f"seed {unit.seed}, fold {unit.fold}: spoiled clips") as report,
            further(
                (folder / unit.predictions.test.path).parent, unit.checkpoint_sha256, found.protocol.classes
            ) as kept,
        ):
            for done, corruption in enumerate(wanted):
                report(done, len(wanted))
                again = partial(
                    predict_again,
                    found.record,
                    unit,
                    data,
                    clips,
                    checkpoint,
                    device,
                    corruption=corruption,
                    cache=cache,
                )
                made = kept.predictions("-".join(map(str, corruption)), again)
                own = [true[clip_id] for clip_id in made.ids]
                confusions.append(confusion_matrix(own, made.predicted, len(found.protocol.classes)))
            report(len(wanted), len(wanted))
        clean.append(found.confusions[number])
        spoiled.append(np.stack(confusions))
        units.append((unit.seed, unit.fold))
    metrics = [registry().find("metrics", name) for name in found.protocol.metrics]
    return Robustness(
        run=found,
        severities=severities,
        units=tuple(units),
        metrics=tuple(_robust(metric, np.stack(clean), np.stack(spoiled), len(severities)) for metric in metrics),
    )


def _robust(metric: MetricSpec, clean: np.ndarray, spoiled: np.ndarray, severities: int) -> Robust:
    """From confusions (U, K, K) on clean clips and (U, C x S, K, K) on spoiled ones."""
    compute = compute_of(metric)
    scores = np.asarray(compute(spoiled)).mean(axis=0).reshape(-1, severities)
    by_corruption = {name: tuple(map(float, row)) for name, row in zip(CORRUPTIONS, scores, strict=True)}
    return Robust(metric, float(np.mean(compute(clean))), by_corruption)
