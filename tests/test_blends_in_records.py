"""Where blends are scored: thresholds are chosen on val, recorded, and checked; pages show what can be shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

import benchmark
from benchmark.errors import IntegrityError, UsageError
from benchmark.finished.labels import known_ceiling
from benchmark.leaderboard import add, build, check
from benchmark.leaderboard.outside import add_outside
from benchmark.planning.data import Data
from benchmark.planning.request import find_protocol
from benchmark.protocol import Protocol, load_protocol, override
from benchmark.records import Record, ScoredSplit, verify_record
from benchmark.records.aggregates import aggregate
from benchmark.registry import registry
from benchmark.scoring.annotators import ceiling_of
from benchmark.scoring.blends import GRID
from benchmark.scoring.builtin import METRICS
from benchmark.scoring.predictions import read_predictions
from benchmark.scoring.scores import SplitScores, Thresholds, choose_thresholds, score_split
from benchmark.shipped import shipped
from tests.finished_run import FinishedRun, RunMaker

BLEMORE = load_protocol(shipped("protocols") / "blemore-5fold.yaml")
BLENDS = override(BLEMORE, {"folds": [1, 2]})


@pytest.fixture(scope="module")
def make_run(tmp_path_factory):
    return RunMaker(tmp_path_factory.mktemp)


@pytest.fixture
def run(make_run) -> FinishedRun:
    return make_run(protocol=BLENDS, synthetic=True)


def labels(run: FinishedRun) -> dict[str, dict[str, str]]:
    known = {
        name: {clip: label for clip, label in run.labels.items() if clip.startswith(name)} for name in ("val", "test")
    }
    return {**known, "clusters": {clip: clip.rpartition("-")[2] for clip in run.labels}}


def with_thresholds(
    run: FinishedRun, thresholds: Thresholds, splits: tuple[ScoredSplit, ...] = ("val", "test")
) -> Record:
    """The record of somebody who chose other thresholds for its first unit, and made everything else agree."""
    first, *rest = run.record.units
    scores: dict[str, SplitScores] = {}
    for split in splits:
        predictions = read_predictions(run.folder / first.predictions.of(split).path, BLENDS.classes)
        own = {clip: run.labels[clip] for clip in predictions.ids}
        scores[split] = score_split(predictions, own, BLENDS, METRICS, thresholds)
    units = [first.model_copy(update={"scores": first.scores.model_copy(update=scores)}), *rest]
    return run.record.model_copy(update={"units": units, "aggregates": aggregate(units, BLENDS, METRICS)})


def test_the_thresholds_of_val_are_recorded_and_are_those_of_test(run):
    for unit in run.record.units:
        assert unit.scores.val.thresholds == unit.scores.test.thresholds
        predictions = read_predictions(run.folder / unit.predictions.val.path, BLENDS.classes)
        own = {clip: run.labels[clip] for clip in predictions.ids}
        assert unit.scores.test.thresholds == choose_thresholds(predictions, own, BLENDS)
        assert {unit.scores.test.thresholds.presence, unit.scores.test.thresholds.salience} <= set(GRID)


def test_a_record_verifies_with_and_without_labels(run):
    assert verify_record(run.record, run.folder) == verify_record(run.record, run.folder, labels(run))
    assert all(run.record.aggregates.metrics[name].low > 0 for name in BLENDS.metrics)


def test_thresholds_that_are_not_those_of_val_are_found_when_labels_are_joined(run):
    chosen = run.record.units[0].scores.val.thresholds
    forged = with_thresholds(run, Thresholds(presence=GRID[3], salience=chosen.salience))
    verify_record(forged, run.folder)  # nothing speaks against it without labels
    with pytest.raises(IntegrityError, match=r"scores\.val.*"):
        verify_record(forged, run.folder, labels(run))


def test_test_cannot_have_thresholds_of_its_own(run):
    forged = with_thresholds(run, Thresholds(presence=GRID[10], salience=GRID[0]), ("test",))
    with pytest.raises(IntegrityError, match=r"scores\.test"):
        verify_record(forged, run.folder)


def test_thresholds_that_do_not_give_the_counted_answers_are_found(run):
    first, *rest = run.record.units
    other = Thresholds(presence=GRID[12], salience=GRID[0])
    scores = {split: first.scores.of(split).model_copy(update={"thresholds": other}) for split in ("val", "test")}
    units = [first.model_copy(update={"scores": first.scores.model_copy(update=scores)}), *rest]
    with pytest.raises(IntegrityError, match="number of clips predicted as"):
        verify_record(run.record.model_copy(update={"units": units}), run.folder)


def test_a_record_without_blends_says_nothing_of_thresholds(make_run):
    record = make_run().record
    assert "thresholds" not in record.canonical()["units"][0]["scores"]["test"]


def test_a_run_of_blends_is_scored_again(run):
    scored = benchmark.score(run.path)
    assert {"presence", "salience", "blend_score", "war"} <= set(scored.metrics)
    assert [each.name for each in scored.classes] == list(BLENDS.answer_names)
    with pytest.raises(UsageError, match="blends, not one class each"):
        benchmark.score(run.path, metrics=["ece"])


def test_other_runs_have_no_presence(make_run):
    run = make_run()
    assert "presence" not in benchmark.score(run.path).metrics
    with pytest.raises(UsageError, match="presence: is of blends, which dfew-5fold does not score"):
        benchmark.score(run.path, metrics=["presence"])


def test_a_page_shows_what_blends_are_ranked_by_and_no_column_for_each_of_36_answers(make_run, tmp_path):
    run, board = make_run(protocol=BLEMORE, synthetic=True), tmp_path / "leaderboard"
    add(run.path, board)
    build(board)
    check(board, lambda record: labels(run))
    page = (board / "SYNTHETIC.md").read_text()
    assert "blend score" in page
    assert "angry>disgust" not in page
    assert "Annotators" not in page


def test_a_system_without_answers_of_val_cannot_be_scored(tmp_path):
    with pytest.raises(UsageError, match="thresholds that are chosen on val"):
        add_outside(tmp_path / "a.csv", tmp_path / "s.yaml", BLENDS, cast(Data, None), tmp_path)


def changed(**changes) -> Protocol:
    return Protocol.model_validate({**BLEMORE.canonical(), **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {
                "split": {"train": "train", "test": "val"},
                "selection": {"policy": "last", "metric": "presence", "ties": "earliest"},
            },
            "needs split.val",
        ),
        (
            {
                "groupings": [
                    {
                        "name": "g",
                        "title": "g",
                        "groups": {"all": ["angry", "disgust", "fear", "happy", "sad", "neutral"]},
                    }
                ]
            },
            "groupings: does not go with",
        ),
        ({"windows": {"length": 4, "overlap": 1}}, "windows: does not go with"),
    ],
)
def test_blends_need_val_and_whole_clips_of_one_dataset(changes, message):
    with pytest.raises(ValueError, match=message):
        changed(**changes)


def test_a_protocol_of_classes_cannot_name_a_metric_of_blends(tmp_path):
    text = (shipped("protocols") / "dfew-5fold.yaml").read_text()
    path: Path = tmp_path / "dfew-5fold.yaml"
    path.write_text(text.replace("metrics: [uar, ", "metrics: [presence, uar, "))
    with pytest.raises(UsageError, match="'presence' is of blends, and needs `answers: blends`"):
        find_protocol(str(path))


def test_shares_that_are_stated_are_no_votes_of_annotators():
    layout = registry().datasets["blemore"]
    assert (layout.votes, layout.votes_name) == (True, "stated shares")
    shares = np.array([[1.0, 0, 0], [0.5, 0.5, 0], [0.3, 0.7, 0]])
    with pytest.raises(ValueError, match="no numbers of annotators"):
        ceiling_of(shares)


def test_no_annotators_are_claimed_even_if_the_shares_look_like_votes(run, monkeypatch):
    clips = [SimpleNamespace(id=clip, votes={"angry": 5.0, "fear": 5.0}) for clip in labels(run)["test"]]
    folds = {
        unit.fold: SimpleNamespace(test=[clip for clip in clips if clip.id.startswith(f"test{unit.fold}-")])
        for unit in run.record.units
    }
    monkeypatch.setattr("benchmark.finished.labels.load_data", lambda *_, **__: SimpleNamespace(folds=folds))
    monkeypatch.setattr("benchmark.finished.labels.scored_ids", lambda own: [clip.id for clip in own])
    assert known_ceiling(run.record, None) is None
    monkeypatch.setitem(registry().datasets, "blemore", replace(registry().datasets["blemore"], stated=False))
    assert known_ceiling(run.record, None) is not None  # what would be claimed of ten people
