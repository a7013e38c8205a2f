"""`benchmark score`: finished runs scored again from predictions, with and without the dataset at hand."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.spatial.distance import jensenshannon
from sklearn import metrics as sklearn

from benchmark.cli.main import main
from benchmark.datasets.scored import scored_labels
from benchmark.planning.data import load_data
from benchmark.protocol import load_protocol
from benchmark.records import DataUse, read_record
from benchmark.scoring.intervals import wilson_interval
from benchmark.scoring.predictions import Predictions, read_predictions
from benchmark.scoring.probabilities import ece
from tests import finished_run

PROTOCOL: dict[str, Any] = {
    "name": "my-study",
    "version": 1,
    "title": "my clips",
    "citation": "mine",
    "dataset": "table",
    "classes": ["happy", "sad", "neutral", "angry"],
    "folds": [1, 2, 3],
    "split": {
        "train": "train",
        "val": {"from": "train", "fraction": 0.3, "rule": "sha256-stratified"},
        "test": "test",
    },
    "frames": {"source": "path", "order": "temporal", "short": "repeat-last", "unreadable": "fail"},
    "selection": {"policy": "val", "metric": "uar", "ties": "earliest"},
    "metrics": ["uar", "war", "macro_f1"],
    "ranking": "uar",
    "aggregate": "mean-of-folds",
}
CLASSES: list[str] = PROTOCOL["classes"]


def write_clips(path: Path, votes: bool = True, relabel: str | None = None, extra: int = 0) -> Path:
    """Sixty clips in three folds; of a clip labelled k, k has six of ten votes. `relabel` makes one clip angry."""
    path.mkdir(parents=True)
    with open(path / "clips.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["clip_id", "path", "label", "fold", *([f"votes_{c}" for c in CLASSES] if votes else [])])
        for number in range(60 + extra):
            own = number % 4
            shares = [6 if k == own else 4 if k == (own + 1 + number % 3) % 4 else 0 for k in range(4)]
            label = "angry" if f"c{number}" == relabel else CLASSES[own]
            rows.writerow([f"c{number}", f"c{number}.mp4", label, 1 + number % 3, *(shares if votes else [])])
    return path


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """A data root and a finished run of three folds and two seeds on it, its predictions drawn at random."""
    place = tmp_path_factory.mktemp("mine")
    write_clips(place / "data")
    (place / "my-study.yaml").write_text(yaml.safe_dump(PROTOCOL))
    protocol = load_protocol(place / "my-study.yaml")
    folds = load_data(protocol, place / "data", votes=False).folds

    def predict(labels, accuracy, rng, protocol, never):
        # Flat enough that a group's sum often beats the most probable class, and that stays the most probable one.
        random = np.random.default_rng(rng.randrange(10**6))
        index = [protocol.classes.index(label) for label in labels.values()]
        rows = random.dirichlet(np.ones(4), len(index)) + 0.5 * np.eye(4)[index]
        return Predictions(tuple(labels), (rows / 1.5).astype(np.float32))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finished_run, "labels_of", lambda split, fold, _: scored_labels(folds[fold].split(split)))
        patch.setattr(finished_run, "predict", predict)
        for name, synthetic in (("run", False), ("synthetic-run", True)):
            data = DataUse(dataset="table", frame_source="path", synthetic=synthetic, fingerprint="f" * 64, clips=60)
            finished_run.finish(place / name, protocol=protocol, data=data, seeds=(0, 1))
    return place


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synthetic") / "run"
    finished_run.finish(folder, synthetic=True)
    return folder


@pytest.fixture
def score(capsys):
    """Run `benchmark score`: exit code, stdout, stderr."""

    def run(*arguments):
        code = main(["score", *map(str, arguments)])
        return (code, *capsys.readouterr())

    return run


@pytest.fixture
def score_json(score):
    def run(*arguments):
        code, out, err = score(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)

    return run


def joined(mine: Path, split="test"):
    """Labels, probabilities and vote shares of each unit, read from the files by hand."""
    with open(mine / "data" / "clips.csv", newline="") as file:
        table = {row["clip_id"]: row for row in csv.DictReader(file)}
    for unit in read_record(mine / "run" / "record.json").units:
        predictions = read_predictions(mine / "run" / getattr(unit.predictions, split).path, CLASSES)
        rows = [table[clip_id] for clip_id in predictions.ids]
        votes = np.array([[float(row[f"votes_{name}"]) / 10 for name in CLASSES] for row in rows])
        yield np.array([CLASSES.index(row["label"]) for row in rows]), predictions.probabilities, votes


def test_without_data_every_score_of_the_record_comes_out_again(mine, score_json):
    record = read_record(mine / "run" / "record.json")
    scored = score_json(mine / "run")
    for name, summary in record.aggregates.metrics.items():
        assert {key: scored["metrics"][name][key] for key in ("mean", "std", "pooled")} == {
            key: getattr(summary, key) for key in ("mean", "std", "pooled")
        }
        units = scored["metrics"][name]["units"]
        assert [(u["seed"], u["fold"], u["value"]) for u in units] == [
            (unit.seed, unit.fold, unit.scores.test.metrics[name].value) for unit in record.units
        ]
    assert list(scored["metrics"]) == ["uar", "war", "macro_f1", "weighted_f1"]


def test_the_protocols_groupings_come_out_again(synthetic, score_json):
    record = read_record(synthetic / "record.json")
    scored = score_json(synthetic / "record.json")["groupings"]["emotion3"]["by class"]
    for name, summary in record.aggregates.groupings["emotion3"].items():
        assert (scored[name]["mean"], scored[name]["pooled"]) == (summary.mean, summary.pooled)


def test_without_data_what_needs_them_is_left_out_and_named(synthetic, score):
    code, out, err = score(synthetic)
    assert code == 0
    labels, votes = err.splitlines()
    assert labels.startswith("left out: top2, ece, augrc, risk_at_80, emotion3 by summed probability: needs labels:")
    assert "--data-root" in labels
    assert votes.startswith(
        "left out: soft_cross_entropy, kl, js, soft_brier, top2_votes, shared_doubt: needs annotators' votes:"
    )
    assert "by class" in out
    assert "by summed probability" not in out


def test_a_metric_that_was_asked_for_and_cannot_be_computed_exits_3(synthetic, score):
    code, out, err = score(synthetic, "--metric", "uar", "--metric", "ece", "--metric", "kl")
    assert code == 3
    assert not out
    assert "ece: needs labels" in err
    assert "kl: needs annotators' votes" in err
    assert "uar" not in err


def test_with_data_every_metric_is_computed(mine, score_json):
    scored = score_json(mine / "run", "--data-root", mine / "data")
    units = list(joined(mine))
    top2 = [sklearn.top_k_accuracy_score(labels, p, k=2, labels=range(4)) for labels, p, _ in units]
    js = [(jensenshannon(votes, p.astype(float), base=2, axis=1) ** 2).mean() for _, p, votes in units]
    for name, expected in (("top2", top2), ("js", js)):
        found = scored["metrics"][name]
        assert [unit["value"] for unit in found["units"]] == pytest.approx(expected, abs=1e-9)
        assert found["mean"] == pytest.approx(np.mean(expected), abs=1e-9)
        assert found["std"] == pytest.approx(np.std(expected, ddof=1), abs=1e-9)
    assert scored["left_out"] == []
    assert not scored["metrics"]["js"]["higher_is_better"]


def test_pooled_is_the_score_of_all_predictions_taken_together(mine, score_json):
    scored = score_json(mine / "run", "--data-root", mine / "data", "--metric", "ece", "--metric", "weighted_f1")
    labels, probabilities, _ = (np.concatenate(parts) for parts in zip(*joined(mine), strict=True))
    expected = sklearn.f1_score(labels, probabilities.argmax(axis=1), average="weighted")
    assert scored["metrics"]["weighted_f1"]["pooled"] == pytest.approx(expected, abs=1e-9)
    calibration = scored["metrics"]["ece"]
    assert calibration["pooled"] == pytest.approx(ece(labels, probabilities), abs=1e-9)
    assert calibration["pooled"] != pytest.approx(calibration["mean"], abs=1e-3)


def test_groups_are_counted_by_class_and_by_summed_probability(mine, score_json, tmp_path):
    grouping = {"name": "two", "title": "two", "groups": {"good": ["Happiness", "neutral"], "bad": ["sad", "anger"]}}
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(grouping))
    scored = score_json(
        mine / "run", "--data-root", mine / "data", "--grouping", tmp_path / "two.yaml", "--metric", "war"
    )
    ways = scored["groupings"]["two"]
    assert ways["groups"] == {"good": ["happy", "neutral"], "bad": ["sad", "angry"]}
    labels, p, _ = (np.concatenate(parts) for parts in zip(*joined(mine), strict=True))
    bad = np.isin(labels, [1, 3])
    by_class = np.isin(p.argmax(axis=1), [1, 3])
    by_sum = p[:, [1, 3]].sum(axis=1) > p[:, [0, 2]].sum(axis=1)
    assert (by_class != by_sum).any()
    assert ways["by class"]["war"]["pooled"] == pytest.approx((by_class == bad).mean(), abs=1e-9)
    assert ways["by summed probability"]["war"]["pooled"] == pytest.approx((by_sum == bad).mean(), abs=1e-9)


def test_a_built_in_grouping_is_found_by_name_for_the_classes_that_there_are(mine, score_json):
    groups = score_json(mine / "run", "--grouping", "emotion3")["groupings"]["emotion3"]["groups"]
    assert groups == {"positive": ["happy"], "neutral": ["neutral"], "negative": ["sad", "angry"]}


def test_per_class_scores_are_scikit_learns_and_a_second_seed_narrows_no_interval(mine, score_json):
    classes = score_json(mine / "run")["classes"]
    labels, p, _ = (np.concatenate(parts) for parts in zip(*joined(mine), strict=True))
    expected = sklearn.precision_recall_fscore_support(labels, p.argmax(axis=1))
    for k, name in enumerate(CLASSES):
        found = [classes[name][key] for key in ("precision", "recall", "f1", "predictions")]
        assert found == pytest.approx([each[k] for each in expected], abs=1e-9)
        low, high = wilson_interval(round(classes[name]["recall"] * 15), 15)  # 15 clips, though 30 predictions
        assert (classes[name]["low"], classes[name]["high"]) == pytest.approx((low, high), abs=1e-9)


def test_the_val_split_is_scored_too(mine, score_json):
    scored = score_json(mine / "run", "--split", "val", "--data-root", mine / "data")
    record = read_record(mine / "run" / "record.json")
    values = [unit.scores.val.metrics["uar"].value for unit in record.units]
    assert [unit["value"] for unit in scored["metrics"]["uar"]["units"]] == values
    top2 = [sklearn.top_k_accuracy_score(labels, p, k=2, labels=range(4)) for labels, p, _ in joined(mine, "val")]
    assert scored["metrics"]["top2"]["mean"] == pytest.approx(np.mean(top2), abs=1e-9)


def test_data_without_votes_leave_out_what_needs_votes(mine, score, tmp_path):
    code, out, err = score(mine / "run", "--data-root", write_clips(tmp_path / "data", votes=False))
    assert code == 0
    assert "top-2" in out
    assert "left out: soft_cross_entropy, kl, js, soft_brier, top2_votes, shared_doubt: needs annotators' votes" in err


@pytest.mark.parametrize(
    ("changes", "message"), [({"extra": 3}, "other test clips"), ({"relabel": "c0"}, "other labels")]
)
def test_other_data_than_the_runs_exit_4(mine, score, tmp_path, changes, message):
    data = write_clips(tmp_path / "data", **changes)
    code, out, err = score(mine / "run", "--data-root", data)
    assert (code, out) == (4, "")
    assert message in err


def test_a_configured_data_root_with_other_data_stops_nothing(mine, score, tmp_path, monkeypatch):
    monkeypatch.setenv("BENCHMARK_DATA_ROOT", str(write_clips(tmp_path / "data", extra=3)))
    code, out, err = score(mine / "run")
    assert code == 0
    assert "UAR" in out
    assert "other test clips" in err


def test_changed_predictions_exit_4(mine, score, tmp_path):
    run = shutil.copytree(mine / "run", tmp_path / "run")
    first = run / "seed-0" / "fold-1" / "predictions.test.csv.gz"
    shutil.copyfile(run / "seed-0" / "fold-2" / "predictions.test.csv.gz", first)
    code, out, err = score(run)
    assert (code, out) == (4, "")
    assert str(first) in err


def test_the_demos_data_are_found_for_synthetic_runs_alone(mine, score, monkeypatch):
    monkeypatch.setattr("benchmark.finished.labels.demo_root", lambda: mine / "data")
    assert "left out" not in score(mine / "synthetic-run")[2]
    assert "left out" in score(mine / "run")[2]


def test_synthetic_runs_say_so(synthetic, mine, score, score_json):
    assert "SYNTHETIC DATA" in score(synthetic)[1]
    assert "SYNTHETIC" not in score(mine / "run")[1]
    assert score_json(synthetic)["synthetic"] is True


def test_an_incomplete_run_says_what_is_missing(score, tmp_path):
    finished_run.finish(tmp_path / "run", folds=(1, 2))
    assert "fold 3, 4, 5 not run" in score(tmp_path / "run", "--metric", "uar")[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--metric", "uaar"), "did you mean 'uar'"),
        (("--grouping", "emotion4"), "known: calm-is-neutral, emotion3"),
        (("--grouping", "half.yaml"), "exactly once"),
        (("--grouping", "list.yaml"), "list.yaml: must be a mapping"),
        (("--grouping", "same.yaml", "--grouping", "emotion3"), "two are called 'emotion3'"),
    ],
)
def test_a_mistake_is_explained_and_exits_2(synthetic, score, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    Path("half.yaml").write_text("{name: half, title: half, groups: {one: [happy]}}")
    Path("list.yaml").write_text("[happy, sad]")
    rest = "[sad, neutral, angry, surprise, disgust, fear]"
    Path("same.yaml").write_text(f"{{name: emotion3, title: mine, groups: {{one: [happy], rest: {rest}}}}}")
    code, out, err = score(synthetic, *arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_a_name_cannot_move_the_cursor(score, tmp_path):
    finished_run.finish(tmp_path / "run", name="a\x1b[2Jb")
    assert "\x1b" not in score(tmp_path / "run")[1]


def test_scoring_never_imports_torch(synthetic):
    code = (
        "import sys\nfrom benchmark.cli.main import main\n"
        f"main(['score', {str(synthetic)!r}])\n"
        "heavy = {'torch', 'mmengine', 'mmaction', 'decord'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr


def test_one_predictions_file_is_scored_as_its_unit_and_split(mine, score_json):
    unit = read_record(mine / "run" / "record.json").units[1]
    scored = score_json(mine / "run" / unit.predictions.val.path, "--metric", "uar")
    assert scored["split"] == "val"
    assert [u["fold"] for u in scored["metrics"]["uar"]["units"]] == [unit.fold]
    assert scored["metrics"]["uar"]["mean"] == unit.scores.val.metrics["uar"].value


def test_a_predictions_file_outside_a_run_is_refused(score, tmp_path):
    path = tmp_path / "predictions.test.csv.gz"
    path.write_bytes(b"")
    code, out, err = score(path)
    assert (code, out) == (2, "")
    assert "is not part of a finished run" in err


def test_attributes_annotators_and_agreement_are_in_the_document(mine, tmp_path, capsys):
    data = write_clips(tmp_path / "data")
    assert main(["score", str(mine / "run"), "--data-root", str(data), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    # Of ten annotators six say the label: one of these, or of the four others, against the plurality of the nine.
    assert found["annotators"]["war"] == pytest.approx(0.6)
    assert [row["agreement"] for row in found["agreement"]] == [0.6]
    assert found["agreement"][0]["war"] == pytest.approx(found["metrics"]["war"]["pooled"])
    assert found["metrics"]["top2"]["low"] <= found["metrics"]["top2"]["mean"] <= found["metrics"]["top2"]["high"]
    assert main(["score", str(mine / "run"), "--data-root", str(data), "--by", "weather"]) == 2
    assert "no clip of this dataset has such an attribute" in capsys.readouterr().err
