"""`benchmark compare` on made-up runs over a table of clips that exists: scikit-learn and scipy are the references."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest
from finished_run import DFEW, RunMaker
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, recall_score

from benchmark.cli.main import main
from benchmark.datasets.splits import hash_ids
from benchmark.datasets.synthetic import MARKER
from benchmark.files import hash_file
from benchmark.planning.demo import demo_root
from benchmark.protocol import Protocol, override
from benchmark.records import DataUse
from benchmark.records.aggregates import aggregate
from benchmark.records.model import UnitRecord
from benchmark.scoring.builtin import METRICS
from benchmark.scoring.comparison import holm
from benchmark.scoring.predictions import Predictions, read_predictions, write_predictions

FOLDS = (1, 2)
# Test clips are those of the table's fold; the made-up runs name val clips that nothing looks up.
PROTOCOL = override(
    DFEW, {"name": "by-table", "dataset": "table", "frames.source": "path", "folds": FOLDS, "groupings": []}
)
ORACLE = Protocol.model_validate(
    PROTOCOL.canonical()
    | {
        "name": "legacy-by-table",
        "split": {"train": "train", "test": "test"},
        "selection": {"policy": "test-oracle", "metric": "war", "ties": "earliest"},
    }
)


@pytest.fixture(scope="module")
def maker(tmp_path_factory):
    return RunMaker(tmp_path_factory.mktemp)


@pytest.fixture
def make(maker):
    def make(name="tsm", accuracy=0.6, synthetic=False, protocol=PROTOCOL, **more):
        data = DataUse(dataset="table", frame_source="path", synthetic=synthetic, fingerprint="f" * 64, clips=84)
        return maker(name=name, accuracy=accuracy, protocol=protocol, data=data, **more)

    return make


@pytest.fixture(scope="module")
def root(maker, tmp_path_factory):
    """The table that holds the test clips of all made-up runs."""
    data = DataUse(dataset="table", frame_source="path", synthetic=False, fingerprint="f" * 64, clips=84)
    run = maker(protocol=PROTOCOL, data=data)
    place = tmp_path_factory.mktemp("data") / "table"
    place.mkdir()
    with open(place / "clips.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["clip_id", "path", "label", "fold"])
        for clip_id, label in run.labels.items():
            if clip_id.startswith("test"):
                rows.writerow([clip_id, f"{clip_id}.mp4", label, clip_id[4]])
    return place.parent


def edit(run, change):
    """Change the record's JSON, in place."""
    content = json.loads(run.path.read_text())
    change(content)
    run.path.write_text(json.dumps(content))


def rename_clips(run, fold, rename):
    """Give the test clips of a fold other ids, in the predictions and in what names their hashes."""

    def change(record):
        for unit in record["units"]:
            if unit["fold"] == fold:
                path = run.folder / unit["predictions"]["test"]["path"]
                old = read_predictions(path, PROTOCOL.classes)
                ids = tuple(map(rename, old.ids))
                write_predictions(path, Predictions(ids, old.probabilities), PROTOCOL.classes)
                unit["predictions"]["test"]["sha256"] = hash_file(path)
                unit["splits"]["test"]["sha256"] = hash_ids(ids)
        units = [UnitRecord.model_validate_json(json.dumps(unit)) for unit in record["units"]]
        record["aggregates"] = aggregate(units, PROTOCOL, METRICS).model_dump(mode="json")

    edit(run, change)


def as_oracle(run):
    """Under a test-oracle protocol no clip is held out for validation."""

    def change(record):
        for unit in record["units"]:
            for part in ("predictions", "splits", "scores"):
                unit[part]["val"] = None

    edit(run, change)
    return run


def predicted(run):
    """True and predicted class index of every test clip, fold by fold, from the files."""
    folds = []
    for unit in run.record.units:
        predictions = read_predictions(run.folder / unit.predictions.test.path, PROTOCOL.classes)
        true = [PROTOCOL.classes.index(run.labels[clip_id]) for clip_id in predictions.ids]
        folds.append((np.array(true), predictions.predicted))
    return folds


def compare(*arguments):
    return main(["compare", *map(str, arguments)])


@pytest.fixture
def document(capsys, root):
    """The JSON of a comparison."""

    def document(*arguments):
        capsys.readouterr()
        assert compare(*arguments, "--data-root", root, "--json") == 0
        return json.loads(capsys.readouterr().out)

    return document


@pytest.fixture
def text(capsys, root):
    """The markdown of a comparison."""

    def text(*arguments):
        capsys.readouterr()
        assert compare(*arguments, "--data-root", root) == 0
        return capsys.readouterr().out

    return text


def refused(capsys, *arguments):
    """Exit code and message of a refused comparison."""
    capsys.readouterr()
    code = compare(*arguments)
    streams = capsys.readouterr()
    assert streams.out == ""
    return code, streams.err


def test_scores_and_differences_are_scikit_learns(make, document):
    runs = [make("tsm", 0.8), make("former", 0.5)]
    (pair,) = document(runs[0].folder, runs[1].path)["pairs"]
    scores = {
        "uar": [np.mean([recall_score(*fold, average="macro") for fold in predicted(run)]) for run in runs],
        "war": [np.mean([accuracy_score(*fold) for fold in predicted(run)]) for run in runs],
    }
    assert list(pair["metrics"]) == ["uar", "war"]
    for name, (first, second) in scores.items():
        found = pair["metrics"][name]
        assert (found["first"], found["second"]) == pytest.approx((first, second))
        assert found["difference"]["value"] == pytest.approx(first - second)
        assert found["difference"]["low"] < first - second < found["difference"]["high"]


def test_recall_differences_are_scikit_learns(make, document):
    runs = [make("tsm", 0.8), make("former", 0.5)]
    (pair,) = document(*(run.folder for run in runs))["pairs"]
    recall = [np.mean([recall_score(*fold, average=None) for fold in predicted(run)], axis=0) for run in runs]
    assert pair["recall"] == pytest.approx(dict(zip(PROTOCOL.classes, recall[0] - recall[1], strict=True)))


def test_mcnemars_p_is_scipys_over_the_clips_of_all_folds(make, document):
    runs = [make("tsm", 0.8), make("former", 0.5)]
    (pair,) = document(*(run.folder for run in runs))["pairs"]
    right = [np.concatenate([true == guess for true, guess in predicted(run)]) for run in runs]
    only = [int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())]
    assert pair["discordant"] == only
    assert pair["mcnemar"] == binomtest(only[0], sum(only)).pvalue
    assert pair["clips"] == len(right[0])


def test_the_better_run_is_named_whichever_comes_first(make, text):
    better, worse = make("tsm", 0.9, title="Good"), make("former", 0.3, title="Poor")
    there, back = text(better.folder, worse.folder), text(worse.folder, better.folder)
    assert "* A (Good) is better than B (Poor) by " in there
    assert "* B (Good) is better than A (Poor) by " in back
    assert "unlikely to be chance" in there
    assert there.split(" by ")[1].split(":")[0] == back.split(" by ")[1].split(":")[0]
    assert "Holm)" not in there.split("##")[0]


def test_runs_that_hardly_differ_are_not_ranked(make, text):
    shown = text(make("tsm", 0.6).folder, make("former", 0.6).folder)
    assert "The data do not separate A (Former-DFER) and B (Former-DFER)" in shown
    assert "is better than" not in shown


def test_a_run_does_not_differ_from_itself(make, document):
    run = make()
    (pair,) = document(run.folder, run.folder)["pairs"]
    assert pair["metrics"]["uar"]["difference"] == {"value": 0.0, "low": 0.0, "high": 0.0, "p": 1.0}
    assert pair["mcnemar"] == 1.0


def test_of_three_runs_every_pair_is_compared_and_corrected_for_their_number(make, document, text):
    folders = [make(name, accuracy).folder for name, accuracy in [("tsm", 0.7), ("former", 0.6), ("mae", 0.5)]]
    pairs = document(*folders)["pairs"]
    assert [(pair["first"], pair["second"]) for pair in pairs] == list(combinations("ABC", 2))
    for name in ("uar", "war"):
        p = [pair["metrics"][name]["difference"]["p"] for pair in pairs]
        assert [pair["metrics"][name]["holm"] for pair in pairs] == holm(p)
    assert "after Holm)" in text(*folders)


def test_another_metric_is_compared_when_asked_for(make, document):
    folders = [make("tsm", 0.7).folder, make("former", 0.6).folder]
    (pair,) = document(*folders, "--metric", "macro_f1")["pairs"]
    assert list(pair["metrics"]) == ["macro_f1"]


def test_a_metric_of_probabilities_is_refused(make, root, capsys):
    code, message = refused(capsys, make().folder, make().folder, "--metric", "top2", "--data-root", root)
    assert code == 2
    assert "--metric top2" in message
    assert "benchmark score" in message


def test_one_run_is_not_a_comparison(make, capsys):
    code, message = refused(capsys, make().folder)
    assert code == 2
    assert "not 1" in message


def test_runs_of_different_protocols_are_refused_naming_what_differs(make, root, capsys):
    other = make("former", protocol=override(PROTOCOL, {"frames.order": "shuffled", "name": "shuffled"}))
    code, message = refused(capsys, make().folder, other.folder, "--data-root", root)
    assert code == 2
    assert "by-table version 1 and shuffled version 1 differ in frames" in message


def test_runs_on_other_clips_are_refused(make, root, capsys):
    other = make("former")
    rename_clips(other, 2, lambda clip_id: f"x{clip_id}")
    code, message = refused(capsys, make().folder, other.folder, "--data-root", root)
    assert code == 2
    assert "different clips in fold 2" in message


def test_runs_without_a_common_fold_are_refused(make, root, capsys):
    code, message = refused(capsys, make(folds=(1,)).folder, make("former", folds=(2,)).folder, "--data-root", root)
    assert code == 2
    assert "no fold in common" in message


def test_without_the_data_it_says_how_to_give_them(make, capsys):
    code, message = refused(capsys, make().folder, make("former").folder)
    assert code == 3
    assert "--data-root DIR" in message


def test_data_with_other_labels_are_noticed(make, root, tmp_path, capsys):
    shutil.copytree(root, tmp_path / "data")
    table = tmp_path / "data" / "table" / "clips.csv"
    lines = table.read_text().splitlines()
    lines[1] = lines[1].replace(",happy,", ",sad,")
    table.write_text("\n".join([*lines, ""]))
    code, message = refused(capsys, make().folder, make("former").folder, "--data-root", tmp_path / "data")
    assert code == 4
    assert "other labels" in message


def test_changed_predictions_are_noticed(make, root, capsys):
    run = make()
    path = run.folder / run.record.units[0].predictions.test.path
    path.write_bytes(path.read_bytes()[:-1])
    code, message = refused(capsys, run.folder, make("former").folder, "--data-root", root)
    assert code == 4
    assert str(path) in message


def test_a_fold_that_only_one_run_has_is_left_out_and_said(make, document, capsys, root):
    one, two = make("tsm"), make("former", folds=(1,))
    found = document(one.folder, two.folder)
    (pair,) = found["pairs"]
    assert pair["units"] == [{"seed": 0, "fold": 1}]
    assert pair["left_out"] == [{"seed": 0, "fold": 2}]
    assert any("only one of them has these test clips: seed 0, fold 2" in line for line in found["notes"])
    own = recall_score(*predicted(one)[0], average="macro")
    assert pair["metrics"]["uar"]["first"] == pytest.approx(own)
    compare(one.folder, two.folder, "--data-root", root)
    assert "note: A and B: left out" in capsys.readouterr().err


def test_runs_with_other_seeds_are_paired_over_their_clips(make, document):
    one, two, three = make("tsm", 0.7, seeds=(0, 1)), make("former", 0.6, seeds=(5,)), make("mae", 0.6, seeds=(2, 3))
    pair = document(one.folder, two.folder)["pairs"][0]
    assert pair["units"] == [{"seed": seed, "fold": fold} for seed in (0, 1, 5) for fold in FOLDS]
    assert pair["left_out"] == []
    own = np.mean([recall_score(*fold, average="macro") for fold in predicted(one)])
    assert pair["metrics"]["uar"]["first"] == pytest.approx(own)
    assert pair["seeds"] is False
    assert document(one.folder, three.folder)["pairs"][0]["seeds"] is True


def test_seeds_of_a_fold_count_its_clips_once(make, document):
    (pair,) = document(make("tsm", seeds=(0, 1)).folder, make("former", seeds=(0, 1)).folder)["pairs"]
    assert len(pair["units"]) == 4
    assert pair["clips"] == 84
    assert pair["discordant"] is None
    assert pair["mcnemar"] is None


def test_folds_that_are_tested_on_the_same_clips_count_them_once(make, monkeypatch, capsys):
    runs = [make("tsm", 0.7), make("former", 0.6)]
    for run in runs:
        rename_clips(run, 2, lambda clip_id: clip_id.replace("test2", "test1"))
    monkeypatch.setattr("benchmark.library.compare.labels_of", labels_of_names)
    assert compare(*(run.folder for run in runs), "--data-root", "anywhere", "--json") == 0
    (pair,) = json.loads(capsys.readouterr().out)["pairs"]
    assert pair["clips"] == 42
    assert pair["mcnemar"] is None


def labels_of_names(run, data_root):
    """The labels that the made-up clips have in their ids."""
    return [
        np.array([PROTOCOL.classes.index(clip_id.split("-")[1]) for clip_id in predictions.ids])
        for predictions in run.predictions
    ]


def test_frames_are_said_not_to_be_independent(make, monkeypatch, capsys):
    framewise = Protocol.model_validate(PROTOCOL.canonical() | {"windows": {"length": 10, "overlap": 5}})
    monkeypatch.setattr("benchmark.library.compare.labels_of", labels_of_names)
    folders = [make(name, protocol=framewise).folder for name in ("tsm", "former")]
    assert compare(*folders, "--data-root", "anywhere") == 0
    assert "not independent" in capsys.readouterr().err


def test_classes_with_few_clips_are_pointed_out(make, document):
    assert any(
        "'happy', 'sad'" in line and "fewer than 10" in line for line in document(make().folder, make().folder)["notes"]
    )


def test_synthetic_runs_say_so_everywhere(make, document, text):
    folders = [make("tsm", 0.9, synthetic=True).folder, make("former", 0.3, synthetic=True).folder]
    assert document(*folders)["synthetic"] is True
    shown = text(*folders)
    assert "Synthetic data: these numbers say nothing about real faces." in shown
    assert all("(Synthetic data.)" in line for line in shown.splitlines() if line.startswith("* "))


def test_real_runs_do_not_say_synthetic(make, text):
    assert "ynthetic" not in text(make("tsm").folder, make("former").folder)


def test_the_demos_data_are_found_without_being_told(make, root, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BENCHMARK_CACHE", str(tmp_path))
    runs = [make("tsm", 0.9, synthetic=True), make("former", 0.3, synthetic=True)]
    folders = [run.folder for run in runs]
    assert refused(capsys, *folders)[0] == 3
    shutil.copytree(root / "table", demo_root() / "table")
    (demo_root() / "table" / MARKER).write_text("{}")
    assert compare(*folders) == 0
    assert "is better than" in capsys.readouterr().out
    for run in runs:
        rename_clips(run, 1, lambda clip_id: f"x{clip_id}")
    code, message = refused(capsys, *folders)
    assert code == 3
    assert "give theirs with --data-root" in message


def test_the_demos_data_are_not_used_for_real_runs(make, root, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BENCHMARK_CACHE", str(tmp_path))
    shutil.copytree(root / "table", demo_root() / "table")
    (demo_root() / "table" / MARKER).write_text("{}")
    assert refused(capsys, make().folder, make("former").folder)[0] == 3


def test_names_from_records_cannot_break_out_of_the_markdown(make, text):
    shown = text(make("tsm", 0.9, title="<b>x</b> | [y](z)").folder, make("former", 0.3).folder)
    assert "<b>" not in shown
    assert r"\| \[y\](z)" in shown
    assert "[y](z)" not in shown.replace(r"\[y\](z)", "")


def test_a_test_oracle_beside_its_twin_gives_the_optimism_report(make, document, text):
    honest, oracle = make("tsm", 0.5), as_oracle(make("tsm", 0.8, protocol=ORACLE))
    found = document(honest.folder, oracle.folder)
    (pair,) = found["pairs"]
    assert found["kind"] == "optimism"
    assert (pair["first"], pair["second"]) == ("B", "A")
    assert list(pair["metrics"]) == list(PROTOCOL.metrics)
    scores = [np.mean([accuracy_score(*fold) for fold in predicted(run)]) for run in (oracle, honest)]
    assert pair["metrics"]["war"]["difference"]["value"] == pytest.approx(scores[0] - scores[1])
    for order in ([honest, oracle], [oracle, honest]):
        shown = text(*(run.folder for run in order))
        assert "would have reported" in shown
        assert "a difference of +" in shown
        assert "never ranked" in shown
        assert "also trains on the clips that the other holds out" in shown.replace("\n", " ")
        assert "is better than" not in shown


def test_the_optimism_report_is_of_one_method(make, root, capsys):
    honest, oracle = make("tsm"), as_oracle(make("former", protocol=ORACLE))
    code, message = refused(capsys, honest.folder, oracle.folder, "--data-root", root)
    assert code == 2
    assert "differ in method" in message


def test_a_test_oracle_of_other_frames_is_no_twin(make, root, capsys):
    oracle = as_oracle(make("tsm", protocol=override(ORACLE, {"frames.order": "single"})))
    code, message = refused(capsys, make("tsm").folder, oracle.folder, "--data-root", root)
    assert code == 2
    assert "differ in" in message
    assert "frames" in message


def test_nothing_of_a_comparison_needs_torch(make, root):
    code = (
        "import sys; from benchmark.cli.main import main; status = main(sys.argv[1:]); "
        "sys.exit(status or any(name in sys.modules for name in ('torch', 'mmengine')))"
    )
    arguments = ["compare", make("tsm").folder, make("former").folder, "--data-root", root]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
