"""`benchmark data show`, `check` and `audit` as a user meets them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmark.cli.main import main


@pytest.fixture
def dfew(synthetic_root, tmp_path) -> Path:
    """A synthetic DFEW with nothing but lists and face crops, for a test to break."""
    root = tmp_path / "data" / "DFEW"
    for part in ("Annotation", "EmoLabel_DataSplit", "Clip/clip_224x224"):
        shutil.copytree(synthetic_root / part, root / part)
    shutil.copy(synthetic_root / "SYNTHETIC.json", root)
    return root


def run(capsys, *arguments: object) -> tuple[int, str, str]:
    try:
        code = main(["data", *map(str, arguments)])
    except SystemExit as exit:
        assert isinstance(exit.code, int)
        code = exit.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def fold_1(root: Path, part: str) -> list[str]:
    lines = (root / f"EmoLabel_DataSplit/{part}(single-labeled)/set_1.csv").read_text().splitlines()[1:]
    return [f"{int(line.split(',')[0]):05d}" for line in lines]


def plant_leak(root: Path) -> tuple[str, str]:
    """Copy a train clip of fold 1 over a test clip."""
    train, test = fold_1(root, "train")[0], fold_1(root, "test")[0]
    shutil.rmtree(root / f"Clip/clip_224x224/{test}")
    shutil.copytree(root / f"Clip/clip_224x224/{train}", root / f"Clip/clip_224x224/{test}")
    return train, test


def test_show_tells_what_is_known_of_a_dataset(capsys):
    code, out, _ = run(capsys, "show", "dfew")
    assert code == 0
    for fact in ("sign the agreement", "set_{1..5}.csv", "happy, sad, neutral", "clip_224x224_16f", "9356", "1956"):
        assert fact in out


def test_show_as_json_has_the_known_counts(capsys):
    shown = json.loads(run(capsys, "show", "dfew", "--json")[1])
    assert shown["expected"]["1"]["test"]["per_class"]["disgust"] == 29
    assert shown["classes"][0] == "happy"


def test_an_unknown_dataset_suggests_the_nearest(capsys):
    code, _, err = run(capsys, "show", "dfwe")
    assert code == 2
    assert "did you mean 'dfew'" in err


def test_list_has_known_clips_and_votes(capsys):
    line = next(line for line in run(capsys, "list")[1].splitlines() if line.startswith("dfew"))
    assert " 11697 " in line
    assert " yes " in line


def test_check_prints_counts_hashes_and_a_verdict(capsys, dfew):
    code, out, _ = run(capsys, "check", "dfew", "--root", dfew, "--workers", 1)
    assert code == 0
    assert out.count("list file: ") == 11
    assert f"60 clips in {dfew} (synthetic), decoded: clip_224x224: everything holds" in out


def test_check_shows_twenty_problems_of_a_kind_and_all_as_json(capsys, dfew):
    shutil.rmtree(dfew / "Clip/clip_224x224")
    (dfew / "Clip/clip_224x224").mkdir()
    arguments = ("check", "dfew", "--root", dfew, "--source", "clip_224x224", "--workers", 1)
    code, out, _ = run(capsys, *arguments)
    assert code == 4
    assert out.count("no such folder of frames") == 20
    assert "PROBLEM (frames): and 40 more" in out
    assert "60 problems" in out
    assert len(json.loads(run(capsys, *arguments, "--json")[1])["problems"]) == 60


def test_check_of_unreadable_lists_is_json_too(capsys, dfew):
    (dfew / "EmoLabel_DataSplit/test(single-labeled)/set_3.csv").write_text("video_name,label\n1,9\n")
    code, out, _ = run(capsys, "check", "dfew", "--root", dfew, "--json")
    assert code == 4
    assert json.loads(out)["problems"][0]["kind"] == "lists"


def test_check_refuses_an_unknown_source(capsys, dfew):
    code, _, err = run(capsys, "check", "dfew", "--root", dfew, "--source", "faces")
    assert code == 2
    assert "clip_224x224" in err


def test_check_keeps_progress_out_of_stdout(capsys, dfew, monkeypatch):
    clock = iter(range(10**6))
    monkeypatch.setattr("benchmark.cli.progress.time", SimpleNamespace(monotonic=lambda: next(clock)))
    _, out, err = run(capsys, "check", "dfew", "--root", dfew, "--workers", 1, "--json")
    assert json.loads(out)["clips"] == 60
    assert "60/60" in err


def test_what_is_over_at_once_leaves_no_progress_line(capsys, dfew, monkeypatch):
    monkeypatch.setattr("benchmark.cli.progress.time", SimpleNamespace(monotonic=lambda: 0))
    _, _, err = run(capsys, "check", "dfew", "--root", dfew, "--workers", 1, "--json")
    assert err == ""


def test_audit_names_a_leak_and_exits_4(capsys, dfew):
    train, test = plant_leak(dfew)
    code, out, _ = run(capsys, "audit", "dfew", "--data-root", dfew.parent, "--workers", 1, "--threshold", 0)
    assert code == 4
    line = next(line for line in out.splitlines() if line.startswith("LEAK"))
    for fact in ("same bytes", f"dfew {train}", f"dfew {test}", "1: "):
        assert fact in line


def test_audit_passes_where_nothing_leaks(capsys, dfew):
    code, out, _ = run(capsys, "audit", f"dfew={dfew}", "--workers", 1, "--threshold", 0, "--json")
    assert code == 0
    found = json.loads(out)
    assert found["pairs"] == []
    assert found["datasets"] == [{"dataset": "dfew", "root": str(dfew), "clips": 60}]


def test_audit_under_a_protocol_looks_across_its_val_too(capsys, dfew):
    from benchmark.planning.data import load_data
    from benchmark.planning.request import find_protocol

    fold = load_data(find_protocol("dfew-5fold"), dfew, votes=False).folds[1]
    train, val = fold.train[0].id, fold.val[0].id
    shutil.rmtree(dfew / f"Clip/clip_224x224/{val}")
    shutil.copytree(dfew / f"Clip/clip_224x224/{train}", dfew / f"Clip/clip_224x224/{val}")
    arguments = ("--data-root", dfew, "--workers", 1, "--threshold", 0, "--json")
    code, out, _ = run(capsys, "audit", "--protocol", "dfew-5fold", *arguments)
    assert code == 4
    assert 1 in json.loads(out)["pairs"][0]["leaks"]
    assert 1 not in json.loads(run(capsys, "audit", "dfew", *arguments)[1])["pairs"][0]["leaks"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name the datasets to audit"),
        (("dfew", "dfew"), "named twice"),
        (("dfew=x", "--protocol", "dfew-5fold"), "--data-root"),
        (("dfew", "--source", "faces", "--data-root", "x"), "clip_224x224"),
        (("dfew", "--threshold", "40"), "below 32"),
        (("dfew", "--threshold", "few"), "invalid bits"),
    ],
)
def test_audit_explains_a_mistake(capsys, arguments, message):
    code, _, err = run(capsys, "audit", *arguments)
    assert code == 2
    assert message in err


def test_audit_without_data_says_how_to_obtain_them(capsys, tmp_path):
    code, _, err = run(capsys, "audit", "dfew", "--data-root", tmp_path)
    assert code == 3
    assert "sign the agreement" in err


def test_audit_of_a_dataset_without_frames_exits_3(capsys, dfew):
    shutil.rmtree(dfew / "Clip")
    code, _, err = run(capsys, "audit", "dfew", "--data-root", dfew)
    assert code == 3
    assert "no clip has frames" in err
