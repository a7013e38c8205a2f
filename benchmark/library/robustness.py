"""`benchmark.robustness`: a finished run's scores on spoiled clips (DFER-C); nothing is trained again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmark.errors import IntegrityError
from benchmark.finished.labels import root_for
from benchmark.finished.rescoring import classes_of, read_finished
from benchmark.planning.data import load_data
from benchmark.records.further import ROBUSTNESS, Robustness
from benchmark.records.further_scores import confusions_of, spoiled_scores
from benchmark.running.again import checkpoints_among, predict_again
from benchmark.running.further import further, keep_result, place_of_results
from benchmark.scoring.predicted_classes import PredictedClasses
from benchmark.video.cache import cache_folder
from benchmark.video.corruptions import CORRUPTIONS, LITE, SEVERITIES
from benchmark.watcher import Watcher


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
    on, and the result beside the record (of a published one in `further/` here). lite: the middle severity alone.

    Raises UsageError for a protocol without labelled clips of its own, EnvironmentProblem where the data are missing,
    IntegrityError for checkpoints or data that are not the record's.
    """
    watcher = watcher or Watcher()
    found = read_finished(Path(run), "test")
    folder, protocol = found.path.parent, found.protocol
    place = place_of_results(folder, found.record)
    root = root_for([found.record], Path(data_root) if data_root else None)
    labels = classes_of(found, root)
    data = load_data(protocol, root, votes=False)
    severities = (LITE,) if lite else SEVERITIES
    wanted = [(name, severity) for name in CORRUPTIONS for severity in severities]
    ways = tuple(f"{name}-{severity}" for name, severity in wanted)
    clean: list[np.ndarray] = []
    spoiled: list[np.ndarray] = []
    units = []
    for unit, checkpoint in checkpoints_among(found.record, list(map(Path, weights)) or [folder]):
        number = found.units.index(unit)
        ids = found.predictions[number].ids
        again = partial(predict_again, found.record, unit, data, data.folds[unit.fold].test, checkpoint, device)
        made = []
        with (
            watcher.counting(f"seed {unit.seed}, fold {unit.fold}: spoiled clips") as report,
            further(place, unit, protocol.classes) as kept,
        ):
            for done, (way, corruption) in enumerate(zip(ways, wanted, strict=True)):
                report(done, len(wanted))
                make = partial(again, corruption=corruption, cache=cache_folder() / "frames")
                predictions = kept.predictions(way, make)
                if predictions.ids != ids:
                    raise IntegrityError(f"{data.test_root}: has other test clips than the record (fold {unit.fold})")
                made.append(predictions.predicted)
            report(len(wanted), len(wanted))
            taken = PredictedClasses(ids, ways, np.stack(made, axis=1))
            units.append(kept.classes_of(taken))
        true = {name: protocol.classes[k] for name, k in zip(ids, labels[number].tolist(), strict=True)}
        clean.append(found.confusions[number])
        spoiled.append(confusions_of(taken, true, protocol))
    result = Robustness(
        severities=severities, units=units, metrics=spoiled_scores(protocol, len(severities), clean, spoiled)
    )
    keep_result(place / ROBUSTNESS, result)
    return result
