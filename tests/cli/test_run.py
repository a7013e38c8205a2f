"""`benchmark run` from the outside: a whole small run, twice, and what it leaves."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from tests.conftest import benchmark

ROWS = ("--method", "tsm", "--method", "former-dfer", "--preset", "small", "--set", "epochs=2", "--folds", "1,2")


def command(root, out, *extra):
    return benchmark("run", "--protocol", "dfew-5fold", *ROWS, "--data-root", root, "-o", out, *extra)


@pytest.fixture(scope="module")
def run(synthetic_root, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    return out, command(synthetic_root, out)


def test_a_run_prints_a_markdown_leaderboard(run):
    _, done = run
    assert done.returncode == 0, done.stderr
    assert "| TSM" in done.stdout
    assert "| Former-DFER" in done.stdout
    assert "synthetic" in done.stdout


def test_synthetic_results_get_a_page_of_their_own(run):
    out, _ = run
    assert "Former-DFER" in (out / "SYNTHETIC.md").read_text()
    assert "Former-DFER" not in (out / "README.md").read_text()
    assert "SYNTHETIC DATA" in run[1].stderr


def test_every_unit_leaves_the_documented_files(run):
    out, _ = run
    for row in ("tsm@small", "former-dfer@small"):
        (folder,) = (path for path in out.glob(f"dfew-5fold-synthetic/{row}~*/hard/seed-0/fold-1"))
        names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        assert {
            "state.json",
            "config.py",
            "checkpoints/last.pth",
            "checkpoints/best.pth",
            "metrics.jsonl",
            "predictions.val.csv.gz",
            "predictions.test.csv.gz",
            "scores.json",
        } <= names


def test_the_same_command_again_trains_nothing_and_is_quick(run, synthetic_root):
    """It does not even import torch, which takes longer than all else that is left to do."""
    out, first = run
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.pth")}
    code = (
        "import sys\nfrom benchmark.cli.main import main\n"
        "code = main(sys.argv[1:])\n"
        "heavy = {'torch', 'mmengine', 'mmaction'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    again = subprocess.run([sys.executable, "-c", code, *first.args[3:]], capture_output=True, text=True, timeout=600)
    assert again.returncode == 0, again.stderr
    assert again.stdout == first.stdout
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.pth")} == before


def test_the_record_holds_the_provenance(run):
    out, _ = run
    (path,) = out.glob("*/tsm@small~*/hard/record.json")
    record = json.loads(path.read_text())
    assert record["marks"]["synthetic"] is True
    assert record["marks"]["incomplete"] == ["seed 0: fold 3, 4, 5 not run"]
    assert record["protocol"]["hash"].startswith("0c1ceb")
    assert record["environment"]["packages"]["torch"]
    assert record["method"]["parameters"] > 10_000
    assert record["overrides"]["recipe"] == {"epochs": 2}
    assert [unit["test_looks"] for unit in record["units"]] == [1, 1]


def test_the_record_can_be_published_and_checked(run, tmp_path):
    out, _ = run
    (path,) = out.glob("*/tsm@small~*/hard/record.json")
    assert benchmark("leaderboard", "add", path, "--dir", tmp_path).returncode == 0
    assert "TSM" in (tmp_path / "SYNTHETIC.md").read_text()
    assert benchmark("leaderboard", "check", "--dir", tmp_path).returncode == 0
    (copy,) = tmp_path.rglob("record.json")
    text = copy.read_text()
    digit = text.index('"mean": 0.') + len('"mean": 0.')
    copy.write_text(text[:digit] + str((int(text[digit]) + 1) % 10) + text[digit + 1 :])
    failed = benchmark("leaderboard", "check", "--dir", tmp_path)
    assert failed.returncode == 4
    assert len(failed.stderr.strip().splitlines()) == 1


def test_data_without_their_synthetic_mark_are_recognised_by_their_counts(synthetic_root, tmp_path):
    root = shutil.copytree(synthetic_root, tmp_path / "DFEW")
    (root / "SYNTHETIC.json").unlink()
    done = benchmark(
        *("run", "--protocol", "dfew-5fold", "--method", "tsm", "--preset", "small", "--set", "epochs=1"),
        *("--folds", "1", "--data-root", root, "-o", tmp_path / "runs"),
    )
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "runs").rglob("record.json")
    record = json.loads(path.read_text())
    assert record["eligible"] is False
    assert "clips is 12, the official list has 2341" in " ".join(record["marks"]["unofficial"])


def test_a_checkpoint_that_wants_to_run_code_is_refused_and_runs_nothing(synthetic_root, tmp_path):
    import os

    import torch

    class Malicious:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'executed'}",)

    torch.save({"state_dict": {"weight": Malicious()}}, tmp_path / "evil.pth")
    done = command(synthetic_root, tmp_path / "runs", "--init", tmp_path / "evil.pth")
    assert done.returncode == 4
    assert "evil.pth was not loaded: reading it would run" in done.stderr
    assert not (tmp_path / "executed").exists()
    assert not list((tmp_path / "runs").rglob("state.json"))


def test_status_shows_every_unit(run):
    out, _ = run
    units = json.loads(benchmark("status", out, "--json").stdout)["units"]
    assert len(units) == 4
    assert {unit["status"] for unit in units} == {"scored"}


def test_a_failing_unit_exits_1_and_the_rest_is_kept(synthetic_root, tmp_path):
    root = shutil.copytree(synthetic_root, tmp_path / "DFEW")
    from benchmark.planning.data import load_data
    from benchmark.planning.request import find_protocol

    folds = load_data(find_protocol("dfew-5fold"), root, votes=False).folds
    # Limited to four clips per split, fold 2 can do without one that fold 1 needs.
    from benchmark.units.samples import limited

    used = {n: {c.id for s in ("train", "val", "test") for c in limited(folds[n], 12).split(s)} for n in (1, 2)}
    victim = sorted(used[1] - used[2])[0]
    for frame in (root / "Clip/clip_224x224" / victim).iterdir():
        frame.write_bytes(b"")
    done = benchmark(
        *("run", "--protocol", "dfew-5fold", "--method", "tsm", "--preset", "small", "--set", "epochs=1"),
        *("--folds", "1,2", "--limit", "12", "--data-root", root, "-o", tmp_path / "runs"),
    )
    assert done.returncode == 1
    assert f"clip {victim}" in done.stderr
    assert "1 of 2 units failed; the same command tries them again" in done.stderr
    (path,) = (tmp_path / "runs").rglob("record.json")
    record = json.loads(path.read_text())
    assert [unit["fold"] for unit in record["units"]] == [2]
    assert [unit["fold"] for unit in record["failed"]] == [1]
    assert record["eligible"] is False
