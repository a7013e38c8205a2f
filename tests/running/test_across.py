"""A cross-dataset protocol, from the command line: trained on synthetic DFEW, tested on a table of other labels."""

from __future__ import annotations

import csv
import gzip
import json
import shutil

import numpy as np
import pytest
import yaml
from sklearn.metrics import accuracy_score, f1_score, recall_score

from benchmark.datasets.layouts.dfew import read
from benchmark.planning.data import load_data
from benchmark.planning.request import find_protocol
from benchmark.units.state import predictions_name, read_state
from tests.conftest import benchmark

CLASSES = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
GROUPS = {"happy": 0, "surprise": 0, "neutral": 1, "sad": 2, "angry": 2, "disgust": 2, "fear": 2}
# The other dataset calls fear anxiety, and has clips of contempt, which nothing was trained on.
MAP = {"name": "other", "title": "t", "rename": {"anxiety": "fear"}, "drop": ["contempt"]}
PROTOCOL = {
    "name": "to-table",
    "version": 1,
    "title": "trained on DFEW, tested on a table",
    "citation": "none",
    "train_on": "dfew-fold1",
    "test_on": {"dataset": "table", "source": "path", "part": "test", "labels": "other"},
}


@pytest.fixture(scope="module")
def place(synthetic_root, tmp_path_factory):
    """A data root with DFEW and a table, and the protocol in a folder outside the package."""
    place = tmp_path_factory.mktemp("across")
    (place / "data" / "table").mkdir(parents=True)
    (place / "data" / "DFEW").symlink_to(synthetic_root)
    (place / "data" / "table" / "frames").symlink_to(synthetic_root / "Clip" / "clip_224x224")
    with open(place / "data" / "table" / "clips.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["clip_id", "path", "label", "split"])
        for number, clip in enumerate(read(synthetic_root, votes=False)):
            label = {"fear": "Anxiety", "happy": "Happiness"}.get(clip.label, clip.label)
            split = "test" if number % 3 else "train"
            rows.writerow([clip.id, f"frames/{clip.id}", "contempt" if number % 20 == 1 else label, split])
    (place / "maps").mkdir()
    (place / "maps" / "other.yaml").write_text(yaml.safe_dump(MAP))
    (place / "to-table.yaml").write_text(yaml.safe_dump(PROTOCOL))
    return place


def run(place, protocol, *more):
    command = ("--method", "tsm", "--preset", "small", "--set", "epochs=1", "--data-root", place / "data", "--json")
    done = benchmark("run", "--protocol", protocol, *command, "-o", place / "runs", *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def finished(place):
    """The source protocol's unit is run first, on its own; then the cross-dataset protocol, twice."""
    run(place, "dfew-fold1")
    (source,) = (place / "runs" / "dfew-fold1-synthetic").glob("*/hard/seed-0/fold-1")
    (record,) = run(place, place / "to-table.yaml")
    (unit,) = (place / "runs" / "to-table-synthetic").glob("*/hard/seed-0/fold-1")
    assert run(place, place / "to-table.yaml") == [record]
    return source, unit, record


def labels_of(place) -> dict[str, str]:
    with open(place / "data" / "table" / "clips.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    names = {"Anxiety": "fear", "Happiness": "happy"}
    return {
        row["clip_id"]: names.get(row["label"], row["label"])
        for row in rows
        if row["split"] == "test" and row["label"] != "contempt"
    }


def test_a_trained_model_is_reused_and_not_trained_again(finished):
    source, unit, _ = finished
    trained, tested = read_state(source), read_state(unit)
    assert trained.attempts == 1
    assert tested.attempts == 1
    assert tested.unit.source == trained.identity
    assert tested.selected == trained.selected
    assert not (unit / "checkpoints").exists()
    assert (unit / predictions_name("val")).read_bytes() == (source / predictions_name("val")).read_bytes()


def test_scores_on_the_other_dataset_are_scikit_learns(place, finished):
    _, unit, record = finished
    labels = labels_of(place)
    with gzip.open(unit / predictions_name("test"), "rt") as file:
        rows = {row["clip_id"]: [float(row[f"p_{name}"]) for name in CLASSES] for row in csv.DictReader(file)}
    assert set(rows) == set(labels)
    true = [CLASSES.index(labels[clip_id]) for clip_id in rows]
    predicted = [int(np.argmax(probabilities)) for probabilities in rows.values()]
    scores = record["units"][0]["scores"]["test"]
    metrics = {name: estimate["value"] for name, estimate in scores["metrics"].items()}
    assert metrics["uar"] == pytest.approx(recall_score(true, predicted, average="macro", labels=sorted(set(true))))
    assert metrics["war"] == pytest.approx(accuracy_score(true, predicted))
    assert metrics["macro_f1"] == pytest.approx(
        f1_score(true, predicted, average="macro", labels=range(7), zero_division=0)
    )
    grouped = [[GROUPS[CLASSES[k]] for k in values] for values in (true, predicted)]
    uar3 = scores["groupings"]["emotion3"]["uar"]["value"]
    assert uar3 == pytest.approx(recall_score(*grouped, average="macro", labels=sorted(set(grouped[0]))))


def test_the_record_names_both_datasets_and_verifies(place, finished, tmp_path):
    _, _, record = finished
    definition = record["protocol"]["definition"]
    assert (definition["dataset"], definition["test_on"]["dataset"]) == ("dfew", "table")
    assert definition["train_on"]["name"] == "dfew-fold1"
    assert record["marks"]["incomplete"] == []
    (folder,) = (place / "runs" / "to-table-synthetic").glob("*/hard")
    from benchmark.records import read_record, verify_record

    verify_record(read_record(folder / "record.json"), folder)


def test_what_the_other_dataset_says_is_part_of_the_fingerprint(place, tmp_path):
    def fingerprint(root):
        return load_data(find_protocol(str(place / "to-table.yaml")), root, votes=False).fingerprints["hard"]

    data = shutil.copytree(place / "data", tmp_path / "data", symlinks=True)
    assert fingerprint(data) == fingerprint(place / "data")
    listed = data / "table" / "clips.csv"
    with open(listed, newline="") as file:
        rows = list(csv.DictReader(file))
    victim = next(row for row in rows if row["split"] == "test" and row["label"] == "sad")
    listed.write_text(listed.read_text().replace(victim["path"] + ",sad", victim["path"] + ",neutral"))
    assert fingerprint(data) != fingerprint(place / "data")


def test_a_label_that_no_map_covers_is_refused(place, tmp_path):
    (tmp_path / "to-table.yaml").write_text(
        yaml.safe_dump({**PROTOCOL, "test_on": {"dataset": "table", "source": "path", "part": "test"}})
    )
    command = ("--protocol", tmp_path / "to-table.yaml", "--method", "tsm", "--data-root", place / "data")
    done = benchmark("run", *command, "-o", tmp_path / "runs")
    assert done.returncode == 4
    assert "its label 'anxiety' is not one of the classes" in done.stderr
    assert "a label map" in done.stderr


def test_an_unfinished_source_unit_costs_only_the_units_that_need_it(place, finished, tmp_path):
    """Without the selected checkpoint there is nothing to test, and the message says which file is missing."""
    source, unit, _ = finished
    for folder in (source, unit):
        shutil.copytree(folder, tmp_path / "runs" / folder.relative_to(place / "runs"))
    moved = tmp_path / "runs" / unit.relative_to(place / "runs")
    shutil.rmtree(moved)
    (tmp_path / "runs" / source.relative_to(place / "runs") / "checkpoints" / "best.pth").unlink()
    command = ("--method", "tsm", "--preset", "small", "--set", "epochs=1", "--data-root", place / "data")
    done = benchmark("run", "--protocol", place / "to-table.yaml", *command, "-o", tmp_path / "runs")
    assert done.returncode == 1
    assert "best.pth: is missing" in done.stderr
