"""What `run` and `pretrain` leave says what it has been through, and what starts from it is judged by that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark.cli.main import main
from benchmark.records import Record, read_record, verify_record
from benchmark.training.weights import read_weight_file

TSM = ("--method", "tsm", "--preset", "small", "--set", "epochs=1")
VIDEOMAE = ("--method", "videomae", "--preset", "small", "--set", "epochs=1")


def run(out: Path, *arguments: object) -> Record:
    """A run in this process, where torch is loaded already; the record that it leaves."""
    assert main(["run", *map(str, arguments), "-o", str(out)]) == 0
    (path,) = out.rglob("record.json")
    return read_record(path)


def told_before(capsys, *arguments: object) -> str:
    """What a dry run says on stderr."""
    assert main(["run", *map(str, arguments), "--dry-run"]) == 0
    return capsys.readouterr().err


@pytest.fixture(scope="module")
def fold2(synthetic_root, tmp_path_factory):
    """The checkpoint of a model that was trained on DFEW's second fold."""
    out = tmp_path_factory.mktemp("fold2")
    run(out, "--protocol", "dfew-5fold", *TSM, "--folds", 2, "--data-root", synthetic_root)
    (path,) = out.rglob("best.pth")
    return path


def test_a_checkpoint_says_under_what_and_on_which_clips_it_was_trained(fold2):
    (training,) = read_weight_file(fold2).history
    assert (training.kind, training.protocol, training.fold, training.datasets) == ("unit", "dfew-5fold", 2, ("dfew",))
    state = json.loads((fold2.parent.parent / "state.json").read_text())
    learned = sum(state["splits"][split]["clips"] for split in ("train", "val"))
    assert len(training.clips) == 8 * learned


def test_given_to_another_fold_it_is_marked_not_ranked_and_said_before_anything_runs(
    fold2, synthetic_root, tmp_path, capsys
):
    options = ("--protocol", "dfew-fold1", *TSM, "--init", fold2, "--data-root", synthetic_root)
    told = told_before(capsys, *options, "-o", tmp_path)
    assert "fold 2, and may have learned from test clips of fold 1" in told and "not ranked" in told
    record = run(tmp_path, *options)
    assert not record.eligible and record.marks.unofficial == [] and record.marks.incomplete == []
    assert record.marks.seen == [
        "model: was trained under dfew-5fold, fold 2, and may have learned from test clips of fold 1"
    ]
    weights = record.initial["model"]
    assert (weights.method, weights.network, weights.classifier, weights.filled) == ("tsm", "model", True, ("model",))
    page = (tmp_path / "SYNTHETIC.md").read_text()
    assert "initial weights: model: was trained under dfew-5fold, fold 2" in page
    (path,) = tmp_path.rglob("record.json")
    verify_record(record, path.parent)
    # And what comes of it says both.
    (checkpoint,) = tmp_path.rglob("best.pth")
    history = read_weight_file(checkpoint).history
    assert [(one.protocol, one.fold) for one in history] == [("dfew-5fold", 2), ("dfew-fold1", 1)]


def test_given_to_its_own_fold_it_is_no_reason_for_a_mark(fold2, synthetic_root, tmp_path, capsys):
    options = ("--protocol", "dfew-5fold", *TSM, "--init", fold2, "--data-root", synthetic_root, "-o", tmp_path)
    assert "not ranked" not in told_before(capsys, *options, "--folds", 2)
    assert "test clips of fold 3" in told_before(capsys, *options, "--folds", "2,3")


def test_a_conversion_keeps_the_history(fold2, tmp_path):
    out = tmp_path / "tsm.safetensors"
    assert main(["weights", "import", "--method", "tsm", "--preset", "small", str(fold2), str(out)]) == 0
    assert read_weight_file(out).history == read_weight_file(fold2).history


def pretrained(videos: Path, out: Path) -> Path:
    assert main(["pretrain", *map(str, (*VIDEOMAE, "--videos", videos, "-o", out))]) == 0
    (path,) = out.rglob("weights.safetensors")
    return path


def train_clips(root: Path, folder: Path) -> Path:
    """Links to the videos of DFEW's first train part, in a folder that lies elsewhere."""
    lists = root / "EmoLabel_DataSplit" / "train(single-labeled)" / "set_1.csv"
    names = [line.partition(",")[0] for line in lists.read_text().splitlines()[1:]]
    assert names
    folder.mkdir()
    for name in names:
        (source,) = (root / "Clip" / "original").rglob(f"{name}.*")
        (folder / source.name).symlink_to(source)
    return folder


def test_a_pre_training_on_the_datasets_videos_costs_the_rank(synthetic_root, tmp_path, capsys):
    weights = pretrained(synthetic_root / "Clip" / "original", tmp_path / "pretrained")
    (training,) = read_weight_file(weights).history
    assert (training.kind, training.stage, training.datasets) == ("pre-training", "masked", ("dfew",))
    options = ("--protocol", "dfew-fold1", *VIDEOMAE, "--init", weights, "--data-root", synthetic_root, "-o", tmp_path)
    told = told_before(capsys, *options)
    assert "was pre-trained on dfew (masked), and may have learned from test clips of fold 1" in told


def test_a_pre_training_on_train_clips_alone_is_not_marked(synthetic_root, tmp_path):
    weights = pretrained(train_clips(synthetic_root, tmp_path / "links"), tmp_path / "pretrained")
    (training,) = read_weight_file(weights).history
    assert training.datasets == ("dfew",) and training.clips
    options = ("--protocol", "dfew-fold1", *VIDEOMAE, "--init", weights, "--data-root", synthetic_root)
    record = run(tmp_path / "runs", *options)
    assert record.marks.seen == [] and record.eligible and not record.lacks
    assert record.initial["model"].classifier is False
    (path,) = (tmp_path / "runs").rglob("record.json")
    verify_record(record, path.parent)
