"""The record of a run that was written down instead of trained: what it takes from the units and from the data."""

from __future__ import annotations

import functools
import json
import random
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from finished_run import labels_of, predict

from benchmark.datasets.splits import hash_ids
from benchmark.files import hash_file, write_json
from benchmark.planning.request import parse_augmentation
from benchmark.protocol import load_protocol
from benchmark.records import verify_record, write_record
from benchmark.registry import registry
from benchmark.running.record import make_record
from benchmark.scoring.builtin import METRICS
from benchmark.scoring.predictions import Predictions, write_predictions
from benchmark.scoring.scores import score_split
from benchmark.units.state import SCORES, STATE, Selected, SplitFacts, UnitState, predictions_name
from benchmark.units.unit import Unit

DFEW = load_protocol(registry().find("protocols", "dfew-5fold"))
UNIT = Unit(
    protocol=DFEW,
    method="tsm",
    method_version="1",
    preset="small",
    augmentations=(parse_augmentation("midas:alpha=0.4"), parse_augmentation("frame-skip")),
    labels="soft",
    seed=0,
    fold=1,
    data="0" * 64,
    synthetic=False,
)
# What `make_record` is told of the data beside the units.
DATA: Any = SimpleNamespace(layout=SimpleNamespace(name="dfew"), clips=72, deviations=())


@functools.cache
def predicted(split: str, fold: int) -> tuple[Predictions, dict[str, Any]]:
    """Predictions of a split of a fold, and their scores."""
    labels = labels_of(split, fold, DFEW)
    predictions = predict(labels, 0.6, random.Random(fold), DFEW, None)
    return predictions, score_split(predictions, labels, DFEW, METRICS).model_dump(mode="json")


def finish(runs: Path, unit: Unit, at: float = 1_750_000_000.0) -> None:
    """Leave in `runs` what a unit leaves that was finished at a time."""
    folder = runs / unit.folder
    splits = {"train": SplitFacts(clips=1, sha256=hash_ids(["a"]))}
    hashes, scores = {}, {}
    for split in ("val", "test"):
        predictions, scores[split] = predicted(split, unit.fold)
        write_predictions(folder / predictions_name(split), predictions, DFEW.classes)
        hashes[split] = hash_file(folder / predictions_name(split))
        splits[split] = SplitFacts(clips=len(predictions.ids), sha256=hash_ids(predictions.ids))
    write_json(folder / SCORES, scores)
    state = UnitState(
        identity=unit.identity,
        unit=unit,
        status="scored",
        heartbeat=at,
        attempts=1,
        epoch=2,
        splits=splits,
        selected=Selected(epoch=2, epochs=3, value=0.5, sha256="1" * 64),
        parameters=12,
        gflops=0.5,
        predictions=hashes,
        test_looks=1,
    )
    (folder / STATE).write_text(state.model_dump_json(by_alias=True))


@pytest.fixture
def record_of(tmp_path):
    """The record of all folds of a unit with these changes."""

    def make(data=DATA, **changes):
        unit = UNIT.model_copy(update=changes)
        for fold in DFEW.folds:
            finish(tmp_path, unit.model_copy(update={"fold": fold}), at=1_750_000_000.0 + fold)
        return make_record(tmp_path / unit.record_folder, data)

    return make


def test_a_complete_run_is_eligible_and_verifies(record_of, tmp_path):
    record = record_of()
    assert record.eligible
    folder = tmp_path / UNIT.record_folder
    write_record(folder / "record.json", record)
    verify_record(record, folder)


def test_a_run_over_few_clips_says_so_and_is_not_ranked(record_of):
    record = record_of(limit=10)
    assert record.marks.unofficial == ["at most 10 clips per split were used"]
    assert not record.eligible


def test_a_run_on_other_data_than_the_published_ones_says_so_and_is_not_ranked(record_of):
    record = record_of(SimpleNamespace(**{**vars(DATA), "deviations": ("fold 1: test clips is 12",)}))
    assert record.marks.unofficial == ["the data are not the published ones: fold 1: test clips is 12"]
    assert not record.eligible


def test_an_augmentation_is_recorded_with_every_option_as_it_was_used(record_of):
    used = {one.name: one.options for one in record_of().augmentations}
    defaults = {name: dict(registry().find("augmentations", name).options) for name in used}
    assert used["midas"] == {**defaults["midas"], "alpha": 0.4}
    assert defaults["midas"]["alpha"] != 0.4
    assert used["frame-skip"] == defaults["frame-skip"]


def test_a_record_is_as_old_as_its_last_result_and_not_as_its_making(record_of):
    assert record_of().created == datetime.fromtimestamp(1_750_000_005, UTC)


def test_a_record_names_what_was_trained_and_what_it_was_trained_from(record_of):
    record = record_of(overrides={"epochs": 3}, init={"model": "2" * 64})
    assert (record.method.name, record.method.preset, record.method.parameters) == ("tsm", "small", 12)
    assert record.method.pretraining == registry().find("methods", "tsm").presets["small"].pretraining
    assert (record.label_mode, record.overrides.recipe) == ("soft", {"epochs": 3})
    assert record.init == {"model": "2" * 64}
    assert {unit.checkpoint_sha256 for unit in record.units} == {"1" * 64}


def test_a_unit_under_way_is_left_out_and_its_fold_is_missed(record_of, tmp_path):
    record_of()
    path = tmp_path / UNIT.folder / STATE
    path.write_text(json.dumps({**json.loads(path.read_text()), "status": "training"}))
    record = make_record(tmp_path / UNIT.record_folder, DATA)
    assert [unit.fold for unit in record.units] == [2, 3, 4, 5]
    assert record.marks.incomplete == ["seed 0: fold 1 not run"]
