"""A frame-wise protocol on synthetic Aff-Wild2, scored again from the label files by scikit-learn alone."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from benchmark.datasets.layouts.affwild2 import ANNOTATIONS
from benchmark.datasets.synthetic.affwild2 import synthesize
from benchmark.planning.request import Request, Variant
from benchmark.running.record import make_record
from benchmark.running.run import run_units
from benchmark.units.clip_names import read_names
from benchmark.units.state import predictions_name
from tests.small_runs import Remembering, planned

OVERLAPPING = ("protocol.windows.length=24", "protocol.windows.overlap=16")


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("framewise") / "Aff-Wild2"
    synthesize(out, 290, 0, lambda done, total: None)
    return out


def run(root: Path, place: Path, protocol: str, *settings: str):
    request = Request(
        protocol, (Variant("tsm"),), "small", (1,), settings=("epochs=2", *settings), unofficial=bool(settings)
    )
    group, machine = planned(request, root, place)
    (unit,) = group.units
    assert not run_units([unit], group.data, machine, Remembering()).failed
    return machine.runs / unit.folder, make_record(machine.runs / unit.record_folder, group.data)


@pytest.fixture(scope="module")
def finished(root, tmp_path_factory):
    return run(root, tmp_path_factory.mktemp("runs"), "affwild2-expr", *OVERLAPPING)


def labels_by_hand(root: Path, part: str) -> dict[str, int]:
    """Line 2 of a file is frame 1; -1 is not labelled."""
    labels = {}
    for path in (root / ANNOTATIONS[0] / part).glob("*.txt"):
        for number, text in enumerate(path.read_text().splitlines()[1:], start=1):
            if int(text) >= 0:
                labels[f"{path.stem}/{number:05d}"] = int(text)
    return labels


def test_every_labelled_frame_is_scored_once_and_the_score_is_scikit_learns(root, finished):
    folder, record = finished
    with gzip.open(folder / predictions_name("test"), "rt") as file:
        rows = list(csv.reader(file))[1:]
    predicted = {row[0]: int(np.argmax([float(value) for value in row[2:]])) for row in rows}
    assert all(row[1] == row[0].split("/")[0].removesuffix("_left").removesuffix("_right") for row in rows)
    labels = labels_by_hand(root, "Validation_Set")
    assert len(rows) == len(predicted)
    assert set(predicted) == set(labels)
    true, guesses = zip(*[(labels[frame], predicted[frame]) for frame in labels], strict=True)
    expected = f1_score(true, guesses, average="macro", labels=sorted(set(true)), zero_division=0)
    scores = record.units[0].scores.test
    assert scores.metrics["macro_f1"].value == pytest.approx(expected)
    assert scores.clips == len(labels) == record.units[0].splits.test.clips


def test_selection_is_by_the_frames_of_val_too(root, finished):
    folder, record = finished
    history = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    (unit,) = record.units
    best = history[unit.selected_epoch - 1]["val"]["macro_f1"]
    assert best == max(row["val"]["macro_f1"] for row in history) == pytest.approx(unit.selection_value)
    assert unit.scores.val.metrics["macro_f1"].value == pytest.approx(best)


def test_the_test_rows_hold_no_label_and_both_people_of_a_video_are_in_one_split(finished):
    folder, _ = finished
    rows = {
        split: json.loads((folder / f"splits/{split}.json").read_text())["data_list"]
        for split in ("train", "watched", "test")
    }
    assert not any({"label", "frame_labels", "target"} & set(row) for row in rows["test"])
    names = read_names(folder / "splits")
    videos = [
        {name.partition("/")[0].removesuffix("_left").removesuffix("_right") for name in ids}
        for ids in ([names.id_of(row["clip_id"]) for row in listed] for listed in rows.values())
    ]
    assert not (videos[0] & videos[1] or videos[0] & videos[2] or videos[1] & videos[2])


def test_a_lost_crop_is_replaced_by_its_nearest_neighbour(root, finished):
    from benchmark.training.adapter import import_mmaction

    import_mmaction()
    from benchmark.training.data import ReadFrames

    video = next(path for path in sorted((root / "cropped_aligned").iterdir()))
    numbers = [int(path.stem) for path in sorted(video.iterdir())]
    gap = next(n for n in range(numbers[0], numbers[-1]) if n not in numbers)
    read = ReadFrames(str(root), {"clips": 1}, random=False)
    path = f"cropped_aligned/{video.name}"
    lost, neighbour = (read({"path": path, "window": [n, 1]})["imgs"][0] for n in (gap, gap - 1))
    assert (lost == neighbour).all()


def test_the_habit_of_choosing_on_test_works_frame_by_frame(root, tmp_path):
    folder, record = run(root, tmp_path, "legacy-affwild2-expr")
    history = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    best = max(row["val"]["macro_f1"] for row in history)
    assert record.units[0].scores.test.metrics["macro_f1"].value == pytest.approx(best)
