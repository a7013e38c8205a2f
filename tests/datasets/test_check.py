"""Checking a dataset: every kind of fault is found and named, and nothing else."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import openpyxl
import pytest

from benchmark.datasets.check import Report, check_dataset
from benchmark.datasets.counts import part_counts, unexpected
from benchmark.datasets.layouts.dfew import LAYOUT as DFEW
from benchmark.errors import IntegrityError
from benchmark.files import hash_file
from benchmark.specs import Clip, DatasetLayout

TRAIN_1 = "EmoLabel_DataSplit/train(single-labeled)/set_1.csv"


def quiet(done: int, total: int) -> None:
    pass


def check(layout: DatasetLayout, root: Path, sources: list[str] | None = None) -> Report:
    return check_dataset(layout, root, sources, 1, quiet)


def found(report: Report) -> list[tuple[str, str]]:
    return [(problem.kind, problem.message) for problem in report.problems]


@pytest.fixture
def dfew(synthetic_root, tmp_path) -> Path:
    """A synthetic DFEW with nothing but face crops, for a test to break."""
    root = tmp_path / "DFEW"
    for part in ("Annotation", "EmoLabel_DataSplit", "Clip/clip_224x224"):
        shutil.copytree(synthetic_root / part, root / part)
    shutil.copy(synthetic_root / "SYNTHETIC.json", root)
    return root


def test_a_sound_dataset_has_no_problem_and_all_present_sources_are_decoded(dfew):
    report = check(DFEW, dfew)
    assert report.problems == ()
    assert report.exit_code == 0
    assert report.sources == ("clip_224x224",)
    assert report.clips == 60
    assert report.folds[1]["train"]["clips"] + report.folds[1]["test"]["clips"] == 60


def test_every_list_file_is_hashed(dfew):
    lists = check(DFEW, dfew).lists
    assert len(lists) == 11
    assert lists[TRAIN_1] == hash_file(dfew / TRAIN_1)


def test_real_data_are_held_against_the_known_counts(dfew):
    (dfew / "SYNTHETIC.json").unlink()
    report = check(DFEW, dfew)
    assert {problem.kind for problem in report.problems} == {"counts"}
    assert "fold 1, train: clips is 48, the official list has 9356" in report.problems[0].message
    assert report.exit_code == 4


def test_a_clip_that_one_fold_does_not_list_is_named(dfew):
    path = dfew / TRAIN_1
    header, _, *rest = path.read_text().splitlines()
    gone = path.read_text().splitlines()[1].split(",")[0]
    path.write_text("\n".join([header, *rest]) + "\n")
    assert found(check(DFEW, dfew)) == [("folds", f"clip {int(gone):05d}: in no list of fold 1")]


def test_lists_that_cannot_be_read_are_the_problem(dfew):
    (dfew / TRAIN_1).write_text("video_name,label\n1,nine\n")
    report = check(DFEW, dfew)
    assert [problem.kind for problem in report.problems] == ["lists"]
    assert "line 2" in report.problems[0].message
    assert report.exit_code == 4


def test_a_missing_list_is_the_problem_and_exits_3(dfew):
    (dfew / TRAIN_1).unlink()
    report = check(DFEW, dfew)
    assert [problem.kind for problem in report.problems] == ["missing"]
    assert report.exit_code == 3


def test_missing_votes_are_noted_because_hard_labels_do_not_need_them(dfew):
    (dfew / "Annotation/annotation.xlsx").unlink()
    report = check(DFEW, dfew)
    assert report.problems == ()
    assert "votes: not checked: dfew: votes missing" in report.notes[0]
    assert report.sources == ("clip_224x224",)
    shutil.rmtree(dfew / "Clip/clip_224x224/00001")
    assert check(DFEW, dfew).exit_code == 4


def test_a_label_that_is_not_the_most_voted_emotion_is_named_with_its_votes(dfew):
    path = dfew / "Annotation/annotation.xlsx"
    workbook = openpyxl.load_workbook(path)
    sheet = workbook.active
    with open(dfew / TRAIN_1, newline="") as file:
        clip, label = next(row for row in csv.reader(file) if row[0].isdigit())
    row = next(row for row in sheet.iter_rows(min_row=2) if row[7].value == int(clip))
    own, other = int(label) - 1, int(label) % 7
    for index in range(7):
        row[index].value = {own: 3, other: 7}.get(index, 0)
    workbook.save(path)
    names = DFEW.classes
    expected = f"clip {int(clip):05d}: its label is {names[own]} (3 votes), but {names[other]} has 7"
    assert found(check(DFEW, dfew)) == [("votes", expected)]


def test_every_clip_without_frames_is_named(dfew):
    for clip in ("00003", "00004"):
        shutil.rmtree(dfew / f"Clip/clip_224x224/{clip}")
    report = check(DFEW, dfew)
    assert [kind for kind, _ in found(report)] == ["frames", "frames"]
    assert "clip 00003: " in report.problems[0].message
    assert "no such folder" in report.problems[1].message


def test_no_frames_at_all_are_one_problem(dfew):
    shutil.rmtree(dfew / "Clip")
    assert [kind for kind, _ in found(check(DFEW, dfew))] == ["frames"]


def test_a_source_that_is_asked_for_must_be_there(dfew):
    assert len(check(DFEW, dfew, ["original"]).problems) == 60


def test_a_damaged_frame_is_found_behind_the_first_ones(dfew):
    frame = sorted((dfew / "Clip/clip_224x224/00003").iterdir())[-1]
    frame.write_bytes(frame.read_bytes()[:-300])
    assert "truncated" in found(check(DFEW, dfew))[0][1]


def test_frames_of_different_sizes_are_a_problem(dfew):
    folder = dfew / "Clip/clip_224x224/00003"
    frame = sorted(folder.iterdir())[2]
    cv2.imwrite(str(frame), np.zeros((100, 200, 3), np.uint8))
    message = (
        f"clip 00003: {folder}: frames of different sizes: {len(list(folder.iterdir())) - 1} of 224x224, 1 of 200x100"
    )
    assert found(check(DFEW, dfew)) == [("frames", message)]


def test_a_second_check_decodes_only_what_changed(dfew, monkeypatch):
    check(DFEW, dfew)
    frame = sorted((dfew / "Clip/clip_224x224/00003").iterdir())[0]
    frame.write_bytes(frame.read_bytes() + b"\0")
    decoded = []
    decode = cv2.imdecode
    monkeypatch.setattr(cv2, "imdecode", lambda *arguments: decoded.append(1) or decode(*arguments))
    assert check(DFEW, dfew).problems == ()
    assert len(decoded) == len(list(frame.parent.iterdir()))


@pytest.fixture
def made_up(tmp_path, monkeypatch):
    """Checks a dataset whose layout returns the given clips; each has a folder of four frames."""

    def check_clips(clips: list[Clip], **layout: Any) -> Report:
        for clip in clips:
            folder = tmp_path / clip.frames["faces"]
            folder.mkdir(parents=True, exist_ok=True)
            for number in (1, 2, 4, 7):
                cv2.imwrite(str(folder / f"{number:05d}.jpg"), np.zeros((8, 8, 3), np.uint8))
        monkeypatch.setattr("benchmark.datasets.check.read_clips", lambda layout, root, votes: clips)
        plain = replace(DFEW, frame_sources=("faces",), lists=(), votes=False, expected={}, classes=("happy", "sad"))
        return check(replace(plain, **layout), tmp_path)

    return check_clips


def clip(clip_id: str, label: str = "happy", **facts: Any) -> Clip:
    return Clip(clip_id, label, {"faces": f"faces/{clip_id}"}, **{"parts": {1: "train"}, **facts})


def test_a_label_outside_the_classes_is_named(made_up):
    report = made_up([clip("a"), clip("b", "bored")])
    assert found(report) == [("labels", "clip b: 'bored' is not one of the classes happy, sad")]


def test_any_label_is_right_where_the_lists_define_the_classes(made_up):
    report = made_up([clip("a"), clip("b", "bored")], classes=())
    assert report.problems == ()
    assert report.folds[1]["train"]["per_class"] == {"bored": 1, "happy": 1}


def test_an_id_that_is_read_twice_is_named(made_up):
    report = made_up([clip("a"), clip("a", parts={1: "test"})])
    assert found(report) == [("folds", "clip a: read more than once")]


def test_a_dataset_without_parts_is_no_problem(made_up):
    assert made_up([clip("a", parts={}), clip("b", parts={})]).problems == ()


def test_a_tie_of_votes_supports_either_label(made_up):
    votes = {"happy": 5.0, "sad": 5.0}
    assert made_up([clip("a", votes=votes), clip("b", "sad", votes=votes)], votes=True).problems == ()


def test_a_label_without_any_vote_is_a_problem_and_no_crash(made_up):
    report = made_up([clip("a", "sad", votes={"happy": 10.0})], votes=True)
    assert found(report) == [("votes", "clip a: its label is sad (0 votes), but happy has 10")]


def test_where_votes_do_not_decide_the_label_a_disagreement_is_only_noted(tmp_path, made_up, monkeypatch):
    undecided = clip("a", "sad", votes={"happy": 6.0, "sad": 4.0})
    made_up([undecided])
    monkeypatch.setattr("benchmark.datasets.check.read_clips", lambda layout, root, votes: [undecided])
    layout = replace(DFEW, frame_sources=("faces",), expected={}, lists=(), votes_decide=False)
    report = check(layout, tmp_path)
    assert report.problems == ()
    assert report.notes == (
        "votes: 1 clips have another label than their most voted emotion; 40.0 % of all votes are for the clip's label",
    )


def test_votes_that_cannot_be_read_are_the_problem(made_up, monkeypatch, tmp_path):
    def read(root: Path, votes: bool) -> list[Clip]:
        if votes:
            raise IntegrityError("votes: line 3: six")
        return [clip("a")]

    made_up([clip("a")])
    monkeypatch.setattr("benchmark.datasets.check.read_clips", lambda layout, root, votes: read(root, votes))
    report = check(replace(DFEW, frame_sources=("faces",), expected={}, lists=()), tmp_path)
    assert found(report) == [("votes", "votes: line 3: six")]
    assert report.exit_code == 4


def test_labelled_frames_are_counted_and_those_without_a_picture_noted(made_up):
    labels = {1: "happy", 2: "sad", 3: "sad", 7: "sad", 9: "sad"}
    report = made_up([clip("a", "sad", frame_labels=labels), clip("b", frame_labels={4: "happy"})])
    assert report.problems == ()
    assert report.folds[1]["train"] == {"clips": 2, "per_class": {"happy": 2, "sad": 4}}
    assert report.notes == ("2 of 6 labelled frames have no picture in faces",)


def test_an_unlabelled_frame_must_decode_too(made_up, tmp_path):
    video = clip("a", frame_labels={1: "happy"})
    made_up([video])
    (tmp_path / "faces/a/00009.jpg").write_bytes(b"")
    made_up_again = made_up([video])
    assert [kind for kind, _ in found(made_up_again)] == ["frames"]
    assert "00009.jpg" in found(made_up_again)[0][1]


def test_a_frame_label_outside_the_classes_is_named(made_up):
    report = made_up([clip("a", frame_labels={1: "happy", 2: "bored", 3: "bored"})])
    assert found(report) == [("labels", "clip a: 'bored' is not one of the classes happy, sad")]


def test_a_slip_of_a_known_emotion_is_named_where_a_dataset_has_classes_of_its_own(made_up):
    report = made_up([clip("a", label="happpy"), clip("b", label="bored"), clip("c", label="anger_level2")], classes=())
    assert [problem.message for problem in report.problems if problem.kind == "labels"] == [
        "clip a: 'happpy' is no known emotion; did you mean 'happy'?"
    ]


def test_what_is_known_by_name_differs_by_name():
    layout = replace(
        DFEW, expected={1: {"all": {"clips": 4, "per_subject": {"01": 2, "02": 2}, "per_class": {"sad": 4}}}}
    )
    clips = [
        Clip(f"{number}", "sad", {}, {1: "all"}, attributes={"subject": subject})
        for number, subject in enumerate(["01", "01", "01", "03"])
    ]
    assert unexpected(layout, part_counts(clips, ("sad",))) == [
        "fold 1, all: subject 01 is 3, the official list has 2",
        "fold 1, all: subject 02 is 0, the official list has 2",
        "fold 1, all: subject 03 is 1, the official list has 0",
    ]
    nobody = [replace(clip, attributes={}) for clip in clips]
    assert unexpected(layout, part_counts(nobody, ("sad",))) == [
        "fold 1, all: per_subject is None, the official list has {'01': 2, '02': 2}"
    ]
