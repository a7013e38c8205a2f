"""The command line as a user meets it: output, speed, messages, exit codes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from fnmatch import fnmatch

import pytest

from benchmark.cli.main import main
from tests.conftest import benchmark

LIGHT = [
    ("list", "methods"),
    ("list", "augmentations"),
    ("list", "datasets"),
    ("list", "metrics"),
    ("list", "plugins"),
    ("list", "sweeps"),
    ("show", "midas-table-5"),
    ("list", "protocols"),
    ("show", "tsm"),
    ("show", "midas"),
    ("show", "dfew"),
    ("show", "dfew-5fold"),
]


@pytest.mark.parametrize("arguments", LIGHT, ids=" ".join)
def test_listing_and_showing_never_import_torch(arguments):
    code = (
        "import sys\nfrom benchmark.cli.main import main\n"
        f"main({[*arguments, '--json']!r})\n"
        "heavy = {'torch', 'mmengine', 'mmaction', 'cv2', 'decord'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)


def test_methods_are_listed_at_once():
    """The promise is half a second, of which imports are nearly all; `timings/startup.py` measures it.

    So nothing is imported but our own modules and pluggy, and few of what Python brings: about 240 in all.
    """
    code = (
        "import json, sys\nfrom benchmark.cli.main import main\n"
        "main(['list', 'methods', '--json'])\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=6000, check=True)
    modules = json.loads(done.stderr)
    installed = {name.split(".")[0] for name in modules} - {*sys.stdlib_module_names, "__main__"}
    assert {name for name in installed if not name.startswith("_")} == {"benchmark", "benchmark_plugins", "pluggy"}
    assert len(modules) < 300


def test_a_method_is_shown_with_input_recipe_and_departures():
    out = benchmark("show", "former-dfer").stdout
    for fact in ("16 frames of 112x112", "Zhao", "MIT", "0, 0, 0", "255, 255, 255", "epochs", "paper"):
        assert fact in out


def test_a_method_is_shown_with_how_clips_are_drawn():
    assert "64 clips, 2 copies of each, each clip once" in benchmark("show", "videomae").stdout
    assert "classes equally often" in benchmark("show", "v-naw").stdout


def test_a_protocol_is_shown_resolved_with_its_hash():
    shown = json.loads(benchmark("show", "dfew-5fold", "--json").stdout)
    assert shown["hash"].startswith("0c1ceb0683a9")
    assert shown["groupings"][0]["groups"]["neutral"] == ["neutral"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("lst",), "did you mean 'list'"),
        (("list", "metods"), "did you mean 'methods'"),
        (("show", "tms"), "did you mean 'tsm'"),
        (("run", "--protocol", "dfew-5fold", "--method", "vidomae", "--demo", "--dry-run"), "did you mean 'videomae'"),
        (("run", "--protocol", "dfew5fold"), "did you mean 'dfew-5fold'"),
        (("run", "--protocol", "dfew-5fold", "--folds", "a"), "is not like 1-5"),
        (("run", "--protocol", "dfew-5fold", "--demo", "--data-root", "."), "leave out --data-root"),
        (("run", "--protocol", "dfew-5fold", "--init", "missing.pth"), "missing.pth: no such file"),
        (("status", "nowhere"), "nowhere: no such folder"),
    ],
)
def test_a_mistake_is_explained_and_exits_2(arguments, message):
    done = benchmark(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("extra", [(), ("--data-root", "/nowhere")])
def test_without_data_it_says_how_to_obtain_them_and_exits_3(extra):
    done = benchmark("run", "--protocol", "dfew-5fold", "--method", "tsm", *extra)
    assert done.returncode == 3
    for advice in ("sign the agreement", "EmoLabel_DataSplit", "--demo"):
        assert advice in done.stderr


def test_splits_are_shown_with_sizes_and_hashes(synthetic_root, tmp_path):
    done = benchmark("show", "dfew-5fold", "--splits", "--data-root", synthetic_root, "--export", tmp_path, "--json")
    folds = json.loads(done.stdout)["folds"]
    assert [fold["fold"] for fold in folds] == [1, 2, 3, 4, 5]
    assert sum(fold["test"]["clips"] for fold in folds) == 60
    listed = (tmp_path / "dfew-5fold@1/fold-1.val.txt").read_text().split()
    assert len(listed) == folds[0]["val"]["clips"]


def test_check_passes_on_what_synthesize_wrote(synthetic_root):
    done = benchmark("data", "check", "dfew", "--root", synthetic_root, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["problems"] == []


def test_check_names_every_damaged_file_and_exits_4(synthetic_root, tmp_path):
    root = shutil.copytree(synthetic_root, tmp_path / "DFEW")
    frame = sorted((root / "Clip/clip_224x224/00003").iterdir())[0]
    frame.write_bytes(frame.read_bytes()[:200])
    shutil.rmtree(root / "Clip/clip_224x224_16f/00004")
    os.truncate(root / "Clip/original/5.mp4", 300)
    done = benchmark("data", "check", "dfew", "--root", root)
    assert done.returncode == 4
    for named in (f"clip 00003: {frame}: truncated", "clip 00004: ", "00004: no such folder", "5.mp4: not a video"):
        assert named in done.stdout
    assert "3 problems" in done.stdout


def test_synthesize_writes_a_tree_and_refuses_to_overwrite(tmp_path):
    assert benchmark("data", "synthesize", "dfew", tmp_path / "DFEW", "--clips", 35).returncode == 0
    again = benchmark("data", "synthesize", "dfew", tmp_path / "DFEW", "--clips", 35)
    assert again.returncode == 2
    assert str(tmp_path / "DFEW") in again.stderr


def test_a_dry_run_prints_units_and_changes_nothing(synthetic_root, tmp_path):
    out = tmp_path / "runs"
    done = benchmark(
        *("run", "--protocol", "dfew-5fold", "--method", "tsm", "--preset", "small", "--data-root", synthetic_root),
        *("--dry-run", "-o", out, "--json"),
    )
    assert len(json.loads(done.stdout)) == 5
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "folders"),
    [
        (("--seeds", "0,2"), ["tsm@small/hard/seed-0/fold-1", "tsm@small/hard/seed-2/fold-1"]),
        (("--folds", "2,4"), ["tsm@small/hard/seed-0/fold-2", "tsm@small/hard/seed-0/fold-4"]),
        (("--preset", "paper"), ["tsm/hard/seed-0/fold-1"]),
        (("--labels", "soft"), ["tsm@small/soft/seed-0/fold-1"]),
        (("--augment", "frame-skip", "--augment", "midas"), ["tsm@small+frame-skip+midas/hard/seed-0/fold-1"]),
        (("--method", "former-dfer"), ["tsm@small/hard/seed-0/fold-1", "former-dfer@small/hard/seed-0/fold-1"]),
        (("--limit", "10"), ["tsm@small~*/hard/seed-0/fold-1"]),
        (("--set", "epochs=3"), ["tsm@small~*/hard/seed-0/fold-1"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_every_option_that_says_what_is_run_reaches_the_units(synthetic_root, tmp_path, capsys, options, folders):
    asked = ["--folds", "1", "--method", "tsm", "--preset", "small", *options, "--data-root", str(synthetic_root)]
    command = ["run", "--protocol", "dfew-5fold", *asked, "-o", str(tmp_path), "--dry-run", "--json"]
    assert main(command) == 0
    planned = [unit["unit"] for unit in json.loads(capsys.readouterr().out)]
    assert len(planned) == len(folders)
    assert all(fnmatch(unit, f"dfew-5fold-synthetic/{folder}") for unit, folder in zip(planned, folders, strict=True))


def test_results_go_to_stdout_and_everything_else_to_stderr():
    assert json.loads(benchmark("list", "methods", "--json").stdout)


def test_an_unknown_setting_is_refused_before_anything_runs(synthetic_root, tmp_path):
    done = benchmark(
        *("run", "--protocol", "dfew-5fold", "--method", "tsm", "--preset", "small", "--data-root", synthetic_root),
        *("-o", tmp_path / "runs", "--set", "optim_wrapper.optimizer.learning_rate=1"),
    )
    assert done.returncode == 2
    assert "--set optim_wrapper.optimizer.learning_rate: no such setting" in done.stderr
    assert not list((tmp_path / "runs").rglob("state.json"))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("optim_wrapper.optimizer.lr=fast", "must be a number like"),
        ("optim_wrapper.optimizer.lr=0,01", "not 0,01 (write 0.01)"),
        ("optim_wrapper.optimizer.type=SGDD", "unknown type 'SGDD'; did you mean 'SGD'?"),
        ("optim_wrapper.optimizer.type=subprocess.getoutput", "'subprocess.getoutput' cannot be a type"),
        ("model.cls_head={type: os.system, command: id}", "'os.system' cannot be a type"),
        ("model.backbone=[[[", "the value must be a number, text"),
        ("epochs=" + "[" * 5000, "the value must be a number, text"),
    ],
)
def test_a_dry_run_refuses_a_setting_that_the_run_would_refuse(synthetic_root, tmp_path, capsys, setting, message):
    from benchmark.cli.main import main

    arguments = ("--protocol", "dfew-5fold", "--method", "tsm", "--preset", "small", "--data-root", synthetic_root)
    told = {}
    for command in (("run",), ("run", "--dry-run"), ("sweep", "--dry-run")):
        assert main([str(part) for part in (*command, *arguments, "-o", tmp_path / "runs", "--set", setting)]) == 2
        told[command] = capsys.readouterr().err
        assert message in told[command]
    assert not (tmp_path / "runs").exists()


def test_a_demanded_device_that_is_missing_exits_3(synthetic_root, tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has an accelerator")
    done = benchmark(
        *("run", "--protocol", "dfew-5fold", "--method", "tsm", "--preset", "small", "--data-root", synthetic_root),
        *("-o", tmp_path, "--device", "cuda"),
    )
    assert done.returncode == 3
    assert "try --device cpu" in done.stderr
