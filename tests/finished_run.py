"""A finished run on disk, made up without training, for the tests of records and of the leaderboard."""

from __future__ import annotations

import hashlib
import random
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.datasets.splits import hash_ids
from benchmark.files import hash_file
from benchmark.leaderboard.entry import Entry
from benchmark.protocol import Protocol, load_protocol
from benchmark.records import (
    AugmentationUse,
    CodeState,
    Cost,
    DataUse,
    Environment,
    FailedUnit,
    FileReference,
    MethodUse,
    Overrides,
    PredictionFiles,
    Record,
    Splits,
    SplitUse,
    UnitRecord,
    UnitScores,
    assemble_record,
    protocol_of,
    read_record,
    write_record,
)
from benchmark.scoring.builtin import METRICS
from benchmark.scoring.predictions import Predictions, write_predictions
from benchmark.scoring.scores import choose_thresholds, score_split
from benchmark.shipped import shipped

DFEW = load_protocol(shipped("protocols") / "dfew-5fold.yaml")


@dataclass(frozen=True)
class FinishedRun:
    """A run's folder, its record, and the labels of all its clips."""

    folder: Path
    record: Record
    labels: dict[str, str]

    @property
    def by_split(self) -> dict[str, dict[str, str]]:
        return {"val": self.labels, "test": self.labels}

    @property
    def path(self) -> Path:
        return self.folder / "record.json"


class RunMaker:
    """`make_run(**options)`: a fresh copy of the finished run with these options; equal options are computed once."""

    def __init__(self, new_folder: Callable[[str], Path]) -> None:
        self.new_folder = new_folder
        self.finished: dict[str, Path] = {}

    def __call__(self, **options: Any) -> FinishedRun:
        key = repr(sorted(options.items()))
        if key not in self.finished:
            self.finished[key] = self.new_folder("finished")
            finish(self.finished[key], **options)
        folder = self.new_folder("run") / "run"
        shutil.copytree(self.finished[key], folder)
        record = read_record(folder / "record.json")
        labels = {
            clip_id: label
            for unit in record.units
            for split in ("val", "test")
            for clip_id, label in labels_of(split, unit.fold, protocol_of(record)).items()
        }
        return FinishedRun(folder, record, labels)


def labels_of(split: str, fold: int, protocol: Protocol) -> dict[str, str]:
    """Three clips per class, or answer, in val, six in test; frame by frame, each is the only frame of a video."""
    per_class, frame = {"val": 3, "test": 6}[split], "/00001" if protocol.windows else ""
    return {f"{split}{fold}-{name}-{i}{frame}": name for name in protocol.answer_names for i in range(per_class)}


def clusters_of(ids: Sequence[str]) -> tuple[str, ...]:
    """Clips of the same number belong together, whatever their class."""
    return tuple(clip_id.partition("/")[0].rpartition("-")[2] for clip_id in ids)


def predict(
    labels: dict[str, str], accuracy: float, rng: random.Random, protocol: Protocol, never: str | None
) -> Predictions:
    """Right with probability `accuracy`, else a guess; `never` is a class that is not predicted."""
    guesses = [name for name in protocol.answer_names if name != never]
    rows = np.full((len(labels), len(protocol.classes)), 0.05, dtype=np.float32)
    for row, label in zip(rows, labels.values(), strict=True):
        guess = label if rng.random() < accuracy and label != never else rng.choice(guesses)
        shown = [protocol.classes.index(name) for name in re.split("[+>]", guess)]
        rest = 1 - 0.05 * (len(protocol.classes) - len(shown))
        row[shown] = {1: (rest,), 2: (rest / 2, rest / 2)}[len(shown)] if ">" not in guess else (0.7 * rest, 0.3 * rest)
    return Predictions(tuple(labels), rows, clusters_of(tuple(labels)) if protocol.clustered_by else None)


def ranks_by_score(entries: Sequence[Entry]) -> dict[str, tuple[int, int]]:
    """The places of entries that the data can all tell apart."""
    ranked = [entry for entry in entries if entry.record.eligible]
    ordered = sorted(ranked, key=lambda entry: -entry.record.aggregates.metrics["uar"].mean)
    return {str(entry.path): (place, place) for place, entry in enumerate(ordered, start=1)}


def finish_unit(
    folder: Path, protocol: Protocol, seed: int, fold: int, accuracy: float, salt: str, never: str | None
) -> UnitRecord:
    rng = random.Random(f"{salt}/{seed}/{fold}/{accuracy}")
    thresholds = None
    files, scores, splits = {}, {}, {"train": SplitUse(clips=9, sha256=hash_ids([f"train{fold}"]))}
    for split in ("val", "test"):
        labels = labels_of(split, fold, protocol)
        predictions = predict(labels, accuracy, rng, protocol, never)
        path = f"seed-{seed}/fold-{fold}/predictions.{split}.csv.gz"
        write_predictions(folder / path, predictions, protocol.classes)
        files[split] = FileReference(path=path, sha256=hash_file(folder / path))
        if split == "val":
            thresholds = choose_thresholds(predictions, labels, protocol)
        scores[split] = score_split(predictions, labels, protocol, METRICS, thresholds)
        splits[split] = SplitUse(clips=len(labels), sha256=hash_ids(labels))
    return UnitRecord(
        seed=seed,
        fold=fold,
        identity=f"1-{salt}",
        selected_epoch=2,
        epochs=3,
        selection_value=scores["val"].metrics[protocol.selection.metric].value,
        splits=Splits(**splits),
        checkpoint_sha256=hashlib.sha256(salt.encode()).hexdigest(),
        predictions=PredictionFiles(**files),
        scores=UnitScores(**scores),
        cost=Cost(train_seconds=1.5, predict_seconds=0.5, attempts=1, device="cpu"),
        test_looks=1,
        dropped=[],
    )


def finish(
    folder: Path,
    *,
    protocol: Protocol = DFEW,
    name: str = "former_dfer",
    title: str = "Former-DFER",
    accuracy: float = 0.6,
    never: str | None = None,
    seeds: tuple[int, ...] = (0,),
    folds: tuple[int, ...] | None = None,
    failed: tuple[tuple[int, int], ...] = (),
    synthetic: bool = False,
    augmentations: tuple[tuple[str, dict[str, Any]], ...] = (),
    **more: Any,
) -> None:
    """Write the predictions and the record of a run; `more` is handed to `assemble_record`."""
    done = [(seed, fold) for seed in seeds for fold in folds or protocol.folds if (seed, fold) not in failed]
    method = MethodUse(
        name=name,
        title=title,
        version="1",
        preset="small",
        pretraining="none",
        parameters=1_234_567,
        gflops=1.25,
        official_evaluation="best epoch on test",
    )
    data = DataUse(
        dataset=protocol.dataset,
        frame_source=protocol.frames.source,
        synthetic=synthetic,
        fingerprint="f" * 64,
        clips=72,
    )
    options = {
        "protocol": protocol,
        "metrics": METRICS,
        "method": method,
        "augmentations": [AugmentationUse(name=used, version="1", options=values) for used, values in augmentations],
        "label_mode": "hard",
        "overrides": Overrides(),
        "init": None,
        "data": data,
        "units": [finish_unit(folder, protocol, seed, fold, accuracy, name, never) for seed, fold in done],
        "failed": [FailedUnit(seed=seed, fold=fold, error="out of memory") for seed, fold in failed],
        "environment": Environment(python="3.11.2", platform="Linux", packages={"numpy": np.__version__}),
        "code": CodeState(version="0.1.0", commit=None, dirty=None),
        "created": datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
    }
    write_record(folder / "record.json", assemble_record(**{**options, **more}))
