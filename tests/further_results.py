"""Further results made up beside a finished run, for the tests of their checks and pages."""

from __future__ import annotations

import numpy as np
from finished_run import FinishedRun
from sklearn.metrics import accuracy_score, f1_score, recall_score

from benchmark.datasets.splits import hash_ids
from benchmark.files import hash_file
from benchmark.records import FileReference, SplitUse, protocol_of
from benchmark.records.further import (
    ROBUSTNESS,
    UNLABELLED,
    Agreement,
    AskedUnit,
    Latency,
    Robustness,
    Spoiled,
    Unlabelled,
)
from benchmark.records.further_scores import vote_scores
from benchmark.registry import registry
from benchmark.running.further import keep_result
from benchmark.scoring.predicted_classes import PredictedClasses, write_predicted_classes
from benchmark.scoring.predictions import Predictions, read_predictions, write_predictions
from benchmark.units.computing import Computing
from benchmark.video.corruptions import CORRUPTIONS

SCORES = {
    "uar": lambda true, predicted: recall_score(true, predicted, average="macro"),
    "war": accuracy_score,
    "macro_f1": lambda true, predicted: f1_score(true, predicted, average="macro"),
}


def spoil(run: FinishedRun, share: float = 0.3) -> Robustness:
    """Another class for a share of the clips, at severity 3; scores by scikit-learn."""
    protocol, rng = protocol_of(run.record), np.random.default_rng(5)
    units, found = [], []
    for unit in run.record.units:
        own = read_predictions(run.folder / unit.predictions.test.path, protocol.classes)
        moved = rng.random((len(own.ids), len(CORRUPTIONS))) < share
        taken = (own.predicted[:, None] + moved) % len(protocol.classes)
        ways = tuple(f"{name}-3" for name in CORRUPTIONS)
        path = f"seed-{unit.seed}/fold-{unit.fold}/further/spoiled.csv.gz"
        (run.folder / path).parent.mkdir(exist_ok=True)
        write_predicted_classes(run.folder / path, protocol.classes, PredictedClasses(own.ids, ways, taken))
        units.append(_asked(run, unit, path))
        true = [protocol.classes.index(run.labels[name]) for name in own.ids]
        found.append({name: [score(true, column) for column in taken.T] for name, score in SCORES.items()})
    result = Robustness(
        severities=(3,),
        units=units,
        metrics={
            name: Spoiled(
                clean=round(run.record.aggregates.metrics[name].mean, 4),
                by_corruption={
                    corruption: (round(float(np.mean([one[name][number] for one in found])), 4),)
                    for number, corruption in enumerate(CORRUPTIONS)
                },
            )
            for name in protocol.metrics
        },
    )
    keep_result(run.folder / ROBUSTNESS, result)
    return result


def ask_unlabelled(run: FinishedRun, clips: int = 40) -> tuple[Unlabelled, dict[str, list[float]]]:
    """Random predictions of clips whose votes are returned too; scores by hand, intervals by the harness."""
    protocol, rng = protocol_of(run.record), np.random.default_rng(6)
    ids = tuple(f"doubtful-{number:02d}" for number in range(clips))
    votes = {name: (rng.multinomial(10, [1 / 7] * 7) / 10).tolist() for name in ids}
    units, kls, right, targets, made = [], [], {}, [], []
    for unit in run.record.units:
        probabilities = rng.dirichlet(np.ones(7), clips).astype(np.float32)
        path = f"seed-{unit.seed}/fold-{unit.fold}/further/unlabelled.csv.gz"
        (run.folder / path).parent.mkdir(exist_ok=True)
        write_predictions(run.folder / path, Predictions(ids, probabilities), protocol.classes)
        units.append(_asked(run, unit, path))
        p = probabilities / probabilities.sum(axis=1, keepdims=True, dtype=np.float64)
        v = np.array([votes[name] for name in ids])
        targets.append(v)
        made.append(probabilities)
        kls.append(np.where(v > 0, v * np.log(np.where(v > 0, v, 1) / p), 0).sum(axis=1).mean())
        for shares, row in zip(v, p, strict=True):
            most = np.isclose(shares, shares.max())
            right.setdefault(round(float(shares.max()), 1), []).append(float(most[row.argmax()]) / most.sum())
    interval = vote_scores([registry().metrics["kl"]], targets, made)["kl"]
    result = Unlabelled(
        clips=SplitUse(clips=clips, sha256=hash_ids(ids)),
        without_frames=2,
        units=units,
        metrics={"kl": interval.model_copy(update={"mean": round(float(np.mean(kls)), 4)})},
        agreement=[
            Agreement(agreement=level, predictions=len(right[level]), right=round(float(np.mean(right[level])), 4))
            for level in sorted(right)
        ],
    )
    keep_result(run.folder / UNLABELLED, result)
    return result, votes


def time(run: FinishedRun, milliseconds: float = 12.5, device: str = "A Device") -> Latency:
    """A made-up latency."""
    result = Latency(
        identity=run.record.units[0].identity,
        device=device,
        hardware={"processor": "some"},
        computing=Computing(),
        torch="2.0",
        warm_up=5,
        repeats=30,
        milliseconds=milliseconds,
        low=milliseconds / 1.1,
        high=milliseconds * 1.1,
        batch=8,
        clips_per_second=2000 / milliseconds,
    )
    keep_result(run.folder / result.file, result)
    return result


def _asked(run: FinishedRun, unit, path: str) -> AskedUnit:
    reference = FileReference(path=path, sha256=hash_file(run.folder / path))
    return AskedUnit(seed=unit.seed, fold=unit.fold, checkpoint_sha256=unit.checkpoint_sha256, predictions=reference)
