"""`benchmark pretrain`: it trains, resumes, refuses, and writes what `--init` takes."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, safe_open

from benchmark.cli.main import main
from benchmark.datasets.synthetic.raf_db import synthesize
from benchmark.planning.pretraining_sources import videos
from benchmark.registry import registry

OPTIONS = ("--method", "videomae", "--preset", "small", "--set", "epochs=3", "--limit", "16")


@dataclass(frozen=True)
class Done:
    """What a command left: its exit code and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def benchmark(*arguments) -> Done:
    """Run a command in this process, where torch is loaded already."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Done(code, out.getvalue(), err.getvalue())


def pretrain(out, *extra):
    return benchmark("pretrain", *OPTIONS, "-o", out, *extra)


@pytest.fixture(scope="module")
def finished(synthetic_root, tmp_path_factory):
    out = tmp_path_factory.mktemp("pretrained")
    return out, pretrain(out, "--videos", synthetic_root)


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    synthesize(root / "raf-db", 40, 0, lambda done, total: None)
    return root


def folder_of(done):
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip()).parent


def test_the_loss_falls_and_is_logged_epoch_by_epoch(finished):
    rows = [json.loads(line) for line in (folder_of(finished[1]) / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[-1]["loss"] < rows[0]["loss"]


def test_synthetic_data_are_said_to_be_synthetic(finished):
    out, done = finished
    assert "SYNTHETIC DATA" in done.stderr
    assert "-synthetic" in str(folder_of(done).relative_to(out))


def test_videos_of_a_benchmark_are_warned_of(finished, synthetic_root, tmp_path):
    assert "will have seen its test clips" in finished[1].stderr
    for folder in (synthetic_root, synthetic_root / "Clip/original", synthetic_root.parent):
        assert videos(folder).datasets == ("dfew",)
    (tmp_path / "clip.mp4").touch()
    assert videos(tmp_path).datasets == ()


def test_the_weights_say_what_they_are(finished):
    with safe_open(folder_of(finished[1]) / "weights.safetensors", "pt") as file:
        metadata = file.metadata()
    assert (metadata["method"], metadata["network"], metadata["preset"]) == ("videomae", "model", "small")


def test_a_run_starts_from_them(finished, synthetic_root, tmp_path):
    weights = folder_of(finished[1]) / "weights.safetensors"
    options = ("--method", "videomae", "--preset", "small", "--set", "epochs=1", "--folds", "1", "--limit", "16")
    command = ("--protocol", "dfew-5fold", *options, "--data-root", synthetic_root, "--init", weights, "-o", tmp_path)
    done = benchmark("run", *command)
    assert done.returncode == 0, done.stderr
    (log,) = tmp_path.rglob("log.txt")
    assert str(weights) in log.read_text()


def test_the_same_command_again_trains_nothing(finished, synthetic_root):
    out, done = finished
    checkpoint = folder_of(done) / "checkpoints" / "last.pth"
    before = checkpoint.stat().st_mtime_ns
    again = pretrain(out, "--videos", synthetic_root)
    assert again.stdout == done.stdout
    assert checkpoint.stat().st_mtime_ns == before


def test_an_interrupted_one_ends_with_the_same_weights(finished, synthetic_root, tmp_path, monkeypatch):
    out, done = finished
    folder = folder_of(done)
    copy = tmp_path / folder.relative_to(out)
    shutil.copytree(folder, copy)
    # As a kill after the first epoch leaves it: no weights, and the checkpoint of that epoch.
    with monkeypatch.context() as interrupted:
        interrupted.setattr("benchmark.training.pretraining.reduce_checkpoints", lambda folder: None)
        first = pretrain(tmp_path / "first", "--videos", synthetic_root, "--set", "train_cfg.max_epochs=1")
    shutil.copyfile(folder_of(first) / "checkpoints" / "last.pth", copy / "checkpoints" / "last.pth")
    state = json.loads((copy / "pretraining.json").read_text())
    (copy / "pretraining.json").write_text(json.dumps({**state, "weights": None, "epoch": 1}))
    (copy / "weights.safetensors").unlink()

    refused = pretrain(tmp_path, "--videos", synthetic_root, "--threads", "2")
    assert refused.returncode == 4 and "was begun with --threads 1" in refused.stderr
    resumed = pretrain(tmp_path, "--videos", synthetic_root)
    weights, expected = (load_file(path / "weights.safetensors") for path in (folder_of(resumed), folder))
    assert "epoch 1/3" not in resumed.stderr
    assert all(torch.equal(weights[key], expected[key]) for key in expected)


def test_a_finished_one_keeps_no_optimiser(finished):
    checkpoint = torch.load(folder_of(finished[1]) / "checkpoints" / "last.pth", weights_only=True)
    assert checkpoint.keys() == {"state_dict", "meta"}


def test_changed_weights_exit_4(finished, synthetic_root, tmp_path):
    out, done = finished
    copy = shutil.copytree(out, tmp_path / "copy")
    path = copy / folder_of(done).relative_to(out) / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    changed = pretrain(copy, "--videos", synthetic_root)
    assert changed.returncode == 4
    assert "not what was trained" in changed.stderr


def test_a_folder_of_another_pre_training_is_left_alone(finished, synthetic_root, tmp_path):
    out, _ = finished
    copy = shutil.copytree(out, tmp_path / "copy")
    other = pretrain(copy, "--videos", synthetic_root, "--limit", "12")
    assert other.returncode == 4
    assert "differs in: data" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--method", "tsm", "--videos", "."), 2, "tsm has no pre-training"),
        (("--method", "videomae", "--stage", "maskd", "--videos", "."), 2, "did you mean 'masked'"),
        (("--method", "videomae", "--dataset", "raf-db"), 2, "--videos"),
        (("--method", "videomae"), 2, "--videos DIR"),
        (("--method", "videomae", "--videos", "nowhere"), 3, "no such folder"),
        (("--method", "videomae", "--videos", "."), 3, "holds no video file"),
        (("--method", "videomae", "--preset", "big", "--videos", "."), 2, "no preset 'big'"),
        (("--method", "videomae", "--set", "balanced=true", "--videos", "."), 2, "no classes to balance"),
        (("--method", "videomae", "--set", "epochs=0", "--videos", "."), 2, "--set epochs=0"),
        (("--method", "s2d", "--videos", "."), 2, "--dataset"),
        (("--method", "s2d", "--dataset", "raf-db", "--data-root", "."), 3, "RAF-DB"),
    ],
)
def test_what_cannot_work_is_explained(tmp_path, monkeypatch, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    done = benchmark("pretrain", *arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


STAGES = [
    (method.name, stage)
    for method in registry().methods.values()
    for stage, pretraining in method.pretrainings.items()
    if pretraining.data == "images"
]


@pytest.mark.parametrize(("method", "stage"), STAGES)
def test_images_are_learned_in_the_datasets_own_class_order(faces, tmp_path, method, stage):
    options = ("--method", method, "--stage", stage, "--preset", "small", "--set", "epochs=1", "--limit", "16")
    done = benchmark("pretrain", *options, "--dataset", "raf-db", "--data-root", faces, "-o", tmp_path)
    folder = folder_of(done)
    rows = json.loads((folder / "clips.json").read_text())["data_list"]
    classes = registry().datasets["raf-db"].classes
    assert all(row["target"][row["label"]] == 1 and len(row["target"]) == len(classes) for row in rows)
    with safe_open(folder / "weights.safetensors", "pt") as file:
        assert json.loads(file.metadata()["class_order"]) == list(classes)
