"""A user's own clips under their own protocol, both outside the package, without a line of code."""

from __future__ import annotations

import csv
import json

import pytest
import yaml

from benchmark.datasets.layouts.dfew import read
from tests.conftest import benchmark

PROTOCOL = {
    "name": "my-study",
    "version": 1,
    "title": "my clips, two folds by person",
    "citation": "mine",
    "dataset": "table",
    "classes": ["Happiness", "Sadness", "Anger"],
    "folds": [1, 2],
    "split": {
        "train": "all",
        "val": {"from": "all", "fraction": 0.25, "rule": "sha256-stratified", "group": "subject"},
        "test": {"from": "all", "fraction": 0.4, "rule": "sha256-folds", "group": "subject"},
    },
    "frames": {"source": "path", "order": "temporal", "short": "repeat-last", "unreadable": "fail"},
    "selection": {"policy": "val", "metric": "uar", "ties": "earliest"},
    "metrics": ["uar", "war"],
    "ranking": "uar",
    "aggregate": "mean-of-folds",
}


@pytest.fixture(scope="module")
def mine(synthetic_root, tmp_path_factory):
    place = tmp_path_factory.mktemp("mine")
    (place / "my-study.yaml").write_text(yaml.safe_dump(PROTOCOL))
    (place / "clips" / "videos").mkdir(parents=True)
    (place / "clips" / "videos" / "all").symlink_to(synthetic_root / "Clip" / "original")
    with open(place / "clips" / "clips.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["clip_id", "path", "label", "subject", "votes_joy", "votes_sad", "votes_anger"])
        chosen = [clip for clip in read(synthetic_root, votes=False) if clip.label in ("happy", "sad", "angry")]
        for number, clip in enumerate(chosen):
            votes = [6 if clip.label == name else 2 for name in ("happy", "sad", "angry")]
            rows.writerow([f"c{clip.id}", f"videos/all/{int(clip.id)}.mp4", clip.label, f"p{number // 2}", *votes])
    return place


def test_it_runs_to_a_scored_record(mine):
    command = ("run", "--protocol", mine / "my-study.yaml", "--data-root", mine / "clips", "--method", "tsm")
    small = ("--preset", "small", "--set", "epochs=1", "--labels", "soft", "--json", "-o", mine / "runs")
    done = benchmark(*command, *small)
    assert done.returncode == 0, done.stderr
    (record,) = json.loads(done.stdout)
    assert record["protocol"]["definition"]["classes"] == ["happy", "sad", "angry"]
    assert [unit["fold"] for unit in record["units"]] == [1, 2]
    assert record["data"]["dataset"] == "table"
    assert set(record["aggregates"]["metrics"]) == {"uar", "war"}


def test_its_splits_are_shown_and_keep_people_together(mine, tmp_path):
    command = ("show", mine / "my-study.yaml", "--splits", "--data-root", mine / "clips", "--json")
    done = benchmark(*command, "--export", tmp_path)
    assert done.returncode == 0, done.stderr
    folds = json.loads(done.stdout)["folds"]
    with open(mine / "clips" / "clips.csv", newline="") as file:
        subjects = {row["clip_id"]: row["subject"] for row in csv.DictReader(file)}
    for fold in folds:
        ids = {
            name: (tmp_path / f"my-study@1/fold-{fold['fold']}.{name}.txt").read_text().split()
            for name in ("train", "val", "test")
        }
        assert {name: len(listed) for name, listed in ids.items()} == {name: fold[name]["clips"] for name in ids}
        people = [{subjects[clip] for clip in listed} for listed in ids.values()]
        assert not (people[0] & people[1] or people[0] & people[2] or people[1] & people[2])


def test_it_is_checked_like_any_dataset(mine):
    done = benchmark("data", "check", "table", "--root", mine / "clips")
    assert done.returncode == 0, done.stdout + done.stderr
