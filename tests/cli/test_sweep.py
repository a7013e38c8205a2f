"""`benchmark sweep` from the outside: a small sweep, its table, and what a second command does."""

from __future__ import annotations

import json
import shutil

import pytest

from benchmark.cli.main import main
from benchmark.leaderboard.reported import DISCLAIMER
from benchmark.planning.data import load_data
from benchmark.planning.request import find_protocol
from benchmark.reports.sweep import paper_text
from benchmark.scoring.comparison import holm
from benchmark.units.samples import limited
from tests.conftest import benchmark

FILE = """
name: hard-and-soft
title: Labels and votes
protocols: [dfew-fold1]
grid: {method: [tsm], set: {epochs: [1]}}
rows:
  - {label: labels}
  - {label: votes, labels: soft}
  - {label: MIDAS, labels: soft, augment: [midas]}
groupings: [emotion3]
compare: labels
notes: [Only a try.]
"""


@pytest.fixture(scope="module")
def swept(synthetic_root, tmp_path_factory):
    """The command of a finished sweep, the folder of its runs, and what it printed."""
    out = tmp_path_factory.mktemp("sweep")
    (out / "sweep.yaml").write_text(FILE)
    command = (
        "sweep",
        out / "sweep.yaml",
        "--preset",
        "small",
        "--data-root",
        synthetic_root,
        "-o",
        out / "runs",
        "--jobs",
        1,
    )
    return command, out / "runs", benchmark(*command)


@pytest.fixture(scope="module")
def document(swept):
    done = benchmark(*swept[0], "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_table_is_printed_and_written(swept):
    _, runs, done = swept
    assert done.returncode == 0, done.stderr
    assert (runs / "sweeps/hard-and-soft.md").read_text() == done.stdout
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    assert [row.split("|")[1].strip() for row in rows] == ["Row", "labels", "votes", "MIDAS"]
    assert all("1 of 1" in row and "synthetic" in row for row in rows[1:])
    assert "* Only a try." in done.stdout


def test_synthetic_data_are_said_so_above_the_table(swept, document):
    assert swept[2].stdout.splitlines()[2] == "**Synthetic data: these numbers say nothing about real faces.**"
    assert document["synthetic"] is True


def test_the_pages_over_all_runs_hold_the_rows_too(swept):
    assert "TSM" in (swept[1] / "SYNTHETIC.md").read_text()


def test_the_same_command_again_runs_nothing(swept):
    command, runs, done = swept
    before = {path: path.stat().st_mtime_ns for path in runs.rglob("*.pth")}
    again = benchmark(*command)
    assert again.returncode == 0
    assert again.stdout == done.stdout
    assert {path: path.stat().st_mtime_ns for path in runs.rglob("*.pth")} == before


def test_scores_are_those_of_the_records(swept, document):
    for row in document["rows"]:
        record = json.loads((swept[1] / row["record"]).read_text())
        assert row["scores"] == {name: record["aggregates"]["metrics"][name] for name in ("uar", "war")}
        assert row["groupings"]["emotion3"]["war"] == record["aggregates"]["groupings"]["emotion3"]["war"]


def test_differences_are_those_of_compare_and_corrected_over_the_rows(swept, document, synthetic_root, capsys):
    baseline, *others = document["rows"]
    assert baseline["differences"] == {}
    assert baseline["baseline"] is None
    for row in others:
        assert row["baseline"] == {"row": "labels", "protocol": "dfew-fold1"}
        folders = [(swept[1] / one["record"]).parent for one in (row, baseline)]
        capsys.readouterr()
        assert main(["compare", *map(str, folders), "--data-root", str(synthetic_root), "--json"]) == 0
        (pair,) = json.loads(capsys.readouterr().out)["pairs"]
        for metric in ("uar", "war"):
            assert row["differences"][metric]["difference"] == pair["metrics"][metric]["difference"]
    for metric in ("uar", "war"):
        found = [row["differences"][metric] for row in others]
        assert [each["holm"] for each in found] == holm([each["difference"]["p"] for each in found])


def test_a_dry_run_shows_what_is_finished_and_what_it_took(swept, capsys):
    command, runs, _ = swept
    capsys.readouterr()
    assert main([*map(str, command), "--seeds", "0,1", "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert [(row["units"], row["finished"], row["epochs"]) for row in plan["rows"]] == [(2, 1, 1)] * 3
    states = [json.loads(path.read_text())["cost"] for path in runs.rglob("state.json")]
    assert len(states) == 3
    total = sum(cost["train_seconds"] + cost["predict_seconds"] for cost in states)
    assert (plan["total"]["units"], plan["total"]["finished"]) == (6, 3)
    assert plan["total"]["seconds"] == pytest.approx(total)
    assert plan["total"]["gflops"] == pytest.approx(sum(row["gflops"] for row in plan["rows"]))


def test_repeated_options_are_a_grid(synthetic_root, tmp_path, capsys):
    command = ("sweep", "--protocol", "dfew-fold1", "--method", "tsm", "--method", "videomae", "--preset", "small")
    grid = ("--augment", "none", "--augment", "midas:alpha=0.2", "--labels", "soft", "--set", "epochs=1")
    more = ("--set", "epochs=2", "--seeds", "0-1", "--data-root", synthetic_root, "-o", tmp_path)
    assert main([*command, *grid, *map(str, more), "--dry-run", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert len(rows) == 2 * 2 * 2
    assert all(row["units"] == 2 for row in rows)
    assert rows[-1]["row"] == "VideoMAE (ViT-B/16), soft labels, midas:alpha=0.2, epochs=2"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "files that ship: aen-figure-3"),
        (("midas-tabel-5",), "did you mean 'midas-table-5'"),
        (("midas-table-5", "--method", "tsm"), "--method: the sweep file says it"),
        (("midas-table-9", "--set", "epochs=1", "--set", "epochs=2"), "a key is given twice"),
        (("midas-table-9", "--init", "weights.pth"), r"METHOD:[NAME=]FILE"),
        (("midas-table-9", "--demo", "--data-root", "x"), "leave out --data-root"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message, capsys):
    assert main(["sweep", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_unit_that_fails_costs_only_itself(synthetic_root, tmp_path):
    root = shutil.copytree(synthetic_root, tmp_path / "DFEW")
    folds = load_data(find_protocol("dfew-5fold"), root, votes=False).folds
    used = {n: {c.id for s in ("train", "val", "test") for c in limited(folds[n], 12).split(s)} for n in (1, 2)}
    for frame in (root / "Clip/clip_224x224" / sorted(used[1] - used[2])[0]).iterdir():
        frame.write_bytes(b"")
    done = benchmark(
        *("sweep", "--protocol", "dfew-5fold", "--method", "tsm"),
        *("--preset", "small", "--set", "epochs=1", "--folds", "1,2", "--limit", "12", "--jobs", "1"),
        *("--data-root", root, "-o", tmp_path / "runs", "--name", "broken"),
    )
    assert done.returncode == 1
    assert "1 of 2 units failed" in done.stderr
    assert "| 1 of 2 " in done.stdout
    assert "unofficial; incomplete" in done.stdout
    assert (tmp_path / "runs/sweeps/broken.md").is_file()


def test_a_papers_sweep_quotes_the_papers_table():
    text = paper_text("midas-table-9")
    assert DISCLAIMER in text
    assert "| MAE-DFER | 0.1 | 63.78 | 75.05 |" in text
    assert paper_text("aen-figure-3") == ""


def test_no_figure_of_a_paper_stands_on_a_page_of_synthetic_scores(swept, tmp_path, capsys):
    command, _, _ = swept
    file = tmp_path / "sweep.yaml"
    file.write_text(FILE.replace("name: hard-and-soft", "name: midas-table-9"))
    assert main(["sweep", str(file), *map(str, command[2:])]) == 0
    page = capsys.readouterr().out
    assert "MIDAS" in page
    assert "In the paper" not in page
