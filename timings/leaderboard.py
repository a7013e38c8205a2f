"""How long it takes to check and to render a leaderboard of many full-size records.

    python timings/leaderboard.py [--records 1000] [--workers N]

Each record holds predictions of the official DFEW folds' sizes (11,697 test clips). The baseline is checking one record
after the other in one process, measured on 40 of them; what is printed is the rate against it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmark.datasets.splits import hash_ids
from benchmark.files import hash_file
from benchmark.leaderboard import add, build, check
from benchmark.protocol import Protocol, load_protocol
from benchmark.records import (
    CodeState,
    Cost,
    DataUse,
    Environment,
    FileReference,
    MethodUse,
    Overrides,
    PredictionFiles,
    Splits,
    SplitUse,
    UnitRecord,
    UnitScores,
    assemble_record,
    protocol_of,
    read_record,
    write_record,
)
from benchmark.registry import registry
from benchmark.scoring.builtin import METRICS
from benchmark.scoring.predictions import Predictions, read_predictions, write_predictions
from benchmark.scoring.scores import score_split

TEST_CLIPS = (2341, 2341, 2340, 2339, 2336)
VAL_CLIPS = 1871
# Predictions are drawn for so many runs; the others are copies with another title and another first clip.
DISTINCT = 10
BASELINE = 40


def main() -> None:
    """Make the records, check and render them, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="leaderboard-"))
    try:
        measure(place, options.records, options.workers)
    finally:
        shutil.rmtree(place)


def measure(place: Path, records: int, workers: int) -> None:
    """Time check and build over `records` records, and the baseline over a few of them."""
    protocol = load_protocol(registry().protocols["dfew-5fold"])
    runs = [_finish(place / f"run-{number}", protocol, number) for number in range(DISTINCT)]
    few, many = place / "few", place / "many"
    for board, count in ((few, min(BASELINE, records)), (many, records)):
        for number in range(count):
            _publish(runs[number % DISTINCT], board, number)
    _timed(lambda: build(few))
    compared = _timed(lambda: build(many))
    rendered = _timed(lambda: build(many))
    busy = time.process_time()
    one = _timed(lambda: check(few, workers=1)) / min(BASELINE, records)
    busy = (time.process_time() - busy) / min(BASELINE, records)
    all_of_them = _timed(lambda: check(many, workers=workers))
    print(f"{records} records of {sum(TEST_CLIPS):,} test clips")
    print(f"first build, every two neighbours compared: {compared:.1f} s; rendered again: {rendered:.1f} s")
    print(f"check, {workers} workers: {all_of_them:.1f} s; one after the other: {one * records:.1f} s (extrapolated)")
    print(f"processor time of one record: {busy:.2f} s")
    print(f"ratio: {one * records / all_of_them:.2f}")


def _timed(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _publish(run: Path, board: Path, number: int) -> None:
    """Add a copy of the run under a title, and with a first clip, of its own."""
    record = read_record(run / "record.json")
    classes = protocol_of(record).classes
    units = []
    for unit in record.units:
        path = run / unit.predictions.test.path
        predictions = read_predictions(path, classes)
        predictions.probabilities[0] *= 1 - np.float32(number % 2 or -1) * np.float32(1e-6 * (number + 1))
        write_predictions(path, predictions, classes)
        test = unit.predictions.test.model_copy(update={"sha256": hash_file(path)})
        units.append(unit.model_copy(update={"predictions": unit.predictions.model_copy(update={"test": test})}))
    method = record.method.model_copy(update={"title": f"method {number}"})
    write_record(run / "record.json", record.model_copy(update={"method": method, "units": units}))
    add(run, board)


def _finish(folder: Path, protocol: Protocol, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    units = []
    for fold, test in zip(protocol.folds, TEST_CLIPS, strict=True):
        files, scores, splits = {}, {}, {"train": SplitUse(clips=9, sha256=hash_ids(["x"]))}
        for split, clips in (("val", VAL_CLIPS), ("test", test)):
            ids = tuple(f"{fold}{split[0]}{number:05d}" for number in range(clips))
            true = np.random.default_rng(fold).integers(len(protocol.classes), size=clips)
            scores_of = rng.random((clips, len(protocol.classes))) + 0.8 * np.eye(len(protocol.classes))[true]
            predictions = Predictions(ids, (scores_of / scores_of.sum(axis=1, keepdims=True)).astype(np.float32))
            path = f"seed-0/fold-{fold}/predictions.{split}.csv.gz"
            write_predictions(folder / path, predictions, protocol.classes)
            files[split] = FileReference(path=path, sha256=hash_file(folder / path))
            labels = {clip: protocol.classes[k] for clip, k in zip(ids, true, strict=True)}
            scores[split] = score_split(predictions, labels, protocol, METRICS)
            splits[split] = SplitUse(clips=clips, sha256=hash_ids(ids))
        units.append(
            UnitRecord(
                seed=0,
                fold=fold,
                identity=f"made-up-{seed}-{fold}",
                selected_epoch=1,
                epochs=1,
                selection_value=scores["val"].metrics["uar"].value,
                splits=Splits(**splits),
                checkpoint_sha256="0" * 64,
                predictions=PredictionFiles(**files),
                scores=UnitScores(**scores),
                cost=Cost(train_seconds=0, predict_seconds=0, attempts=1, device="cpu"),
                test_looks=1,
                dropped=[],
            )
        )
    record = assemble_record(
        protocol=protocol,
        metrics=METRICS,
        method=MethodUse(
            name="made-up",
            title="made up",
            version="1",
            preset="small",
            pretraining="none",
            parameters=1,
            gflops=1.0,
            official_evaluation="none",
        ),
        augmentations=[],
        label_mode="hard",
        overrides=Overrides(),
        init=None,
        data=DataUse(dataset="dfew", frame_source="clip_224x224", synthetic=True, fingerprint="0" * 64, clips=11697),
        units=units,
        failed=[],
        environment=Environment(python="-", platform="-", packages={}),
        code=CodeState(version="-", commit=None, dirty=None),
        created=datetime(2026, 1, 1, tzinfo=UTC),
    )
    write_record(folder / "record.json", record)
    return folder


if __name__ == "__main__":
    main()
