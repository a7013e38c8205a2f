"""Nobody is in two parts of a fold; who is, is named, and the audit fails."""

import csv
import json
from pathlib import Path

import pytest
import yaml

from benchmark.cli.main import main
from benchmark.datasets.crossings import Crossing, Member, find_crossings, kept_together
from benchmark.protocol import load_protocol
from benchmark.registry import registry
from tests.cli.test_score import PROTOCOL


def member(subject: str | None, parts: dict[int, str], dataset: str = "one") -> Member:
    return Member(dataset, {"subject": subject} if subject else {}, parts)


def test_a_subject_in_two_parts_of_a_fold_is_found_with_its_clips():
    members = [
        member("ada", {1: "train", 2: "test"}),
        member("ada", {1: "train", 2: "test"}),
        member("ada", {1: "val", 2: "test"}),
        member("bob", {1: "test", 2: "train"}),
    ]
    assert find_crossings(members) == [Crossing("one", "subject", "ada", 1, {"train": 2, "val": 1})]


def test_two_datasets_may_call_different_people_the_same():
    assert find_crossings([member("01", {1: "train"}), member("01", {1: "test"}, "two")]) == []


def test_clips_that_do_not_say_who_they_show_cross_nothing():
    assert find_crossings([member(None, {1: "train"}), member(None, {1: "test"})]) == []


def test_what_a_rule_groups_by_must_stay_together_too():
    assert kept_together(None) == ("subject",)
    assert kept_together(load_protocol(registry().protocols["affwild2-expr-3fold"])) == ("subject", "source")


@pytest.mark.parametrize("name", ["ravdess-speech-5fold", "ravdess-song-5fold", "crema-d-5fold"])
def test_the_open_datasets_are_divided_by_subject_and_both_sexes(name):
    split = load_protocol(registry().protocols[name]).split
    assert {(rule.group, rule.stratify) for rule in (split.val, split.test)} == {("subject", "sex")}


@pytest.fixture
def study(tmp_path) -> Path:
    """A table of sixty images, three of each subject, one in each of three folds, and a protocol with these folds."""
    import cv2
    import numpy as np

    root = tmp_path / "data"
    root.mkdir()
    with (root / "clips.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["clip_id", "path", "label", "fold", "subject"])
        for number in range(60):
            path = root / f"{number}.png"
            cv2.imwrite(str(path), np.random.default_rng(number).integers(0, 256, (64, 64, 3), np.uint8))
            rows.writerow([f"c{number}", path.name, PROTOCOL["classes"][number % 4], 1 + number % 3, f"s{number // 3}"])
    (tmp_path / "my-study.yaml").write_text(yaml.safe_dump(PROTOCOL))
    return tmp_path


def test_a_protocol_that_splits_people_is_named_by_the_audit(study, capsys):
    command = ["data", "audit", "--protocol", str(study / "my-study.yaml"), "--data-root", str(study / "data")]
    assert main(command) == 4
    out = capsys.readouterr().out
    assert "LEAK" in out
    assert "subject s0" in out
    assert "subject: 20, of which 20 are in two parts of a fold" in out


def test_the_same_folds_by_subject_are_proven_to_be_apart(study, capsys):
    held_out = {"from": "all", "rule": "sha256-stratified", "group": "subject"}
    folds = {"from": "all", "fraction": 0.33, "rule": "sha256-folds", "group": "subject"}
    split = {"train": "all", "val": {**held_out, "fraction": 0.3}, "test": folds}
    (study / "my-study.yaml").write_text(yaml.safe_dump({**PROTOCOL, "split": split}))
    command = [
        "data",
        "audit",
        "--protocol",
        str(study / "my-study.yaml"),
        "--data-root",
        str(study / "data"),
        "--json",
    ]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["crossings"] == []
