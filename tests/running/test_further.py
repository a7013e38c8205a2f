"""A finished run on spoiled clips and on those without a label: predictions are kept, and the same whenever made."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from scipy.special import rel_entr
from sklearn.metrics import recall_score

import benchmark
from benchmark import Request, Resources, Variant
from benchmark.cli.main import main
from benchmark.errors import IntegrityError
from benchmark.finished.rescoring import labels_of, read_finished
from benchmark.records import read_record, write_record
from benchmark.records.further import read_further
from benchmark.running import again
from benchmark.scoring.predicted_classes import read_predicted_classes
from benchmark.scoring.predictions import read_predictions
from benchmark.video.corruptions import CORRUPTIONS


@pytest.fixture(scope="module")
def run(synthetic_root, tmp_path_factory) -> Path:
    """A run of one fold."""
    request = Request(
        "dfew-5fold", (Variant("tsm"),), "small", folds=(1,), settings=("epochs=1", "size=32", "decode_size=32")
    )
    runs = tmp_path_factory.mktemp("runs")
    benchmark.run(request, data_root=synthetic_root, runs=runs, resources=Resources(device="cpu", jobs=1))
    (record,) = runs.rglob("record.json")
    return record.parent


@pytest.fixture(scope="module")
def robust(run, synthetic_root):
    return benchmark.robustness(run, data_root=synthetic_root, lite=True, device="cpu")


def test_the_scores_are_those_of_the_kept_predictions(run, robust, synthetic_root):
    found = read_finished(run, "test")
    labels = labels_of(found, synthetic_root)
    uar = robust.metrics["uar"]
    for name in CORRUPTIONS:
        values = []
        for unit, own, clean in zip(found.units, labels, found.predictions, strict=True):
            file = (run / unit.predictions.test.path).parent / "further" / f"{name}-3.csv.gz"
            made = read_predictions(file, found.protocol.classes)
            true = dict(zip(clean.ids, own, strict=True))
            values.append(recall_score([true[i] for i in made.ids], made.predicted, average="macro"))
        assert uar.by_corruption[name] == pytest.approx((np.mean(values),), abs=5e-5)
    assert uar.clean == pytest.approx(found.record.aggregates.metrics["uar"].mean, abs=5e-5)
    assert uar.corrupted == pytest.approx(np.mean([value for (value,) in uar.by_corruption.values()]))
    assert uar.relative == pytest.approx(uar.corrupted / uar.clean)


def test_spoiled_clips_are_predicted_otherwise_than_clean_ones(run, robust):
    found = read_finished(run, "test")
    for name in CORRUPTIONS:
        file = (run / found.units[0].predictions.test.path).parent / "further" / f"{name}-3.csv.gz"
        made = read_predictions(file, found.protocol.classes)
        assert made.ids == found.predictions[0].ids
        assert not np.allclose(made.probabilities, found.predictions[0].probabilities, atol=1e-4)


def test_what_was_predicted_is_not_predicted_again(run, robust, synthetic_root, monkeypatch):
    monkeypatch.setattr(again, "job_of", None)  # nothing can be predicted
    assert benchmark.robustness(run, data_root=synthetic_root, lite=True, device="cpu").metrics == robust.metrics


def test_a_lost_or_changed_file_is_predicted_again_to_the_same_bytes(run, robust, synthetic_root):
    unit = read_finished(run, "test").units[0]
    place = (run / unit.predictions.test.path).parent / "further"
    before = {path.name: path.read_bytes() for path in place.glob("*.csv.gz")}
    (place / "jpeg-3.csv.gz").unlink()
    (place / "trembling-3.csv.gz").write_bytes(before["frozen-3.csv.gz"])
    assert benchmark.robustness(run, data_root=synthetic_root, lite=True, device="cpu").metrics == robust.metrics
    assert {path.name: path.read_bytes() for path in place.glob("*.csv.gz")} == before


def test_the_classes_that_go_with_the_result_are_those_of_the_probabilities(run, robust):
    found = read_finished(run, "test")
    (unit,) = robust.units
    taken = read_predicted_classes(run / unit.predictions.path, found.protocol.classes, robust.ways)
    assert taken.ids == found.predictions[0].ids
    for way, column in zip(taken.ways, taken.predicted.T, strict=True):
        file = (run / found.units[0].predictions.test.path).parent / "further" / f"{way}.csv.gz"
        assert column.tolist() == read_predictions(file, found.protocol.classes).predicted.tolist()


def test_a_latency_is_kept_beside_the_record_and_needs_no_checkpoint(run, capsys):
    found = benchmark.latency(run, device="cpu")
    assert read_further(run).latencies == (found,)
    assert 0 < found.low <= found.milliseconds <= found.high
    assert main(["latency", str(run), "--device", "cpu", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["device"] == found.device


def test_the_folder_of_a_published_record_stays_as_it_is(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = read_finished(run, "test")
    board = tmp_path / "board"
    for path in ("record.json", *(unit.predictions[split].path for unit in found.units for split in ("val", "test"))):
        (board / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(run / path, board / path)
    before = sorted(board.rglob("*"))
    benchmark.latency(board, device="cpu")
    assert sorted(board.rglob("*")) == before
    assert read_further(tmp_path / "further/board").latencies


def test_a_latency_of_another_model_than_the_records_is_refused(run, tmp_path):
    record = read_record(run / "record.json")
    other = record.model_copy(update={"method": record.method.model_copy(update={"parameters": 1})})
    write_record(tmp_path / "record.json", other)
    with pytest.raises(IntegrityError, match="install the version that made the record"):
        benchmark.latency(tmp_path, device="cpu")


def test_checkpoints_of_other_runs_are_refused(run, synthetic_root, tmp_path):
    (tmp_path / "best.pth").write_bytes(b"something else")
    with pytest.raises(IntegrityError, match="is not the checkpoint of any unit"):
        benchmark.robustness(run, data_root=synthetic_root, weights=[tmp_path / "best.pth"])


def test_the_command_prints_the_same_and_says_that_it_is_synthetic(run, robust, synthetic_root, capsys):
    assert main(["robustness", str(run), "--data-root", str(synthetic_root), "--lite", "--device", "cpu"]) == 0
    assert "SYNTHETIC DATA" in capsys.readouterr().out
    assert (
        main(["robustness", str(run), "--data-root", str(synthetic_root), "--lite", "--json", "--device", "cpu"]) == 0
    )
    found = json.loads(capsys.readouterr().out)
    assert found["metrics"]["uar"]["corrupted"] == pytest.approx(robust.metrics["uar"].corrupted, abs=1e-6)
    assert (found["synthetic"], found["severities"]) == (True, [3])


@pytest.fixture(scope="module")
def unlabelled(run, synthetic_root):
    return benchmark.unlabelled(run, data_root=synthetic_root, device="cpu")


def test_clips_without_a_label_are_those_of_the_annotation_that_no_list_holds(run, unlabelled, synthetic_root):
    sheet = openpyxl.load_workbook(synthetic_root / "Annotation/annotation.xlsx").active
    expected = {
        f"{order:05d}": votes for *votes, order, label in sheet.iter_rows(min_row=2, values_only=True) if not label
    }
    found = read_finished(run, "test")
    file = (run / found.units[0].predictions.test.path).parent / "further/unlabelled.csv.gz"
    made = read_predictions(file, found.protocol.classes)
    assert set(made.ids) == set(expected)
    assert unlabelled.clips.clips == len(expected) > 0
    votes = np.array([expected[name] for name in made.ids]) / 10
    kl = rel_entr(votes, made.probabilities).sum(axis=1).mean()
    assert unlabelled.metrics["kl"].mean == pytest.approx(kl, abs=5e-5)
    best = np.argsort(-made.probabilities, axis=1)[:, :2]
    share = np.take_along_axis(votes, best, axis=1).sum(axis=1).mean()
    assert unlabelled.metrics["top2_votes"].mean == pytest.approx(share, abs=5e-5)


def test_right_answers_are_counted_by_agreement_over_labelled_clips_and_others(run, unlabelled, synthetic_root):
    sheet = openpyxl.load_workbook(synthetic_root / "Annotation/annotation.xlsx").active
    votes = {f"{order:05d}": row for *row, order, label in sheet.iter_rows(min_row=2, values_only=True)}
    found = read_finished(run, "test")
    file = (run / found.units[0].predictions.test.path).parent / "further/unlabelled.csv.gz"
    right: dict[float, list[float]] = {}
    for made in (found.predictions[0], read_predictions(file, found.protocol.classes)):
        for name, predicted in zip(made.ids, made.predicted, strict=True):
            most = [k for k, count in enumerate(votes[name]) if count == max(votes[name])]
            right.setdefault(max(votes[name]) / 10, []).append((predicted in most) / len(most))
    assert [(one.agreement, one.predictions) for one in unlabelled.agreement] == [
        (level, len(right[level])) for level in sorted(right)
    ]
    assert [one.right for one in unlabelled.agreement] == pytest.approx(
        [np.mean(right[level]) for level in sorted(right)], abs=5e-5
    )


def test_their_command_prints_scores_and_says_that_they_are_synthetic(run, unlabelled, synthetic_root, capsys):
    command = ["unlabelled", str(run), "--data-root", str(synthetic_root), "--device", "cpu"]
    assert main(command) == 0
    assert "SYNTHETIC DATA" in capsys.readouterr().out
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["clips"]["clips"] == unlabelled.clips.clips


def test_clips_whose_frames_are_lost_are_counted_and_left_out(run, unlabelled, synthetic_root, tmp_path):
    root = tmp_path / "DFEW"
    shutil.copytree(synthetic_root, root)
    found = read_finished(run, "test")
    file = (run / found.units[0].predictions.test.path).parent / "further/unlabelled.csv.gz"
    lost = read_predictions(file, found.protocol.classes).ids[0]
    shutil.rmtree(root / "Clip/clip_224x224" / lost)
    file.unlink()
    fewer = benchmark.unlabelled(run, data_root=root, device="cpu")
    assert (fewer.clips.clips, fewer.without_frames) == (unlabelled.clips.clips - 1, 1)
