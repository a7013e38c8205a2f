"""`benchmark check-plugin`: the report, JSON, and the exit code."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from benchmark.cli.main import main

METRIC = "uar"


def test_a_metric_that_passes_is_told_check_by_check(capsys):
    assert main(["check-plugin", METRIC]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"metric {METRIC}\n  ok        spec\n")
    assert out.endswith(f"7 checks of {METRIC}: 7 passed\n")


def test_a_failure_is_told_with_its_reason_and_ends_with_3(capsys, monkeypatch):
    monkeypatch.setattr("benchmark.scoring.metrics.uar", lambda confusion: confusion.sum(axis=(-2, -1)).astype(float))
    assert main(["check-plugin", METRIC]) == 3
    out = capsys.readouterr().out
    assert "  FAILED    range\n            scores lie between" in out
    assert "1 failed" in out or "2 failed" in out


def test_json_has_every_result(capsys):
    assert main(["check-plugin", METRIC, "--json", "--only", "range"]) == 0
    (result,) = json.loads(capsys.readouterr().out)
    assert (result["subject"], result["name"], result["outcome"]) == (f"metric {METRIC}", "range", "passed")


def test_a_failure_that_is_expected_does_not_fail(capsys, monkeypatch):
    monkeypatch.setattr("benchmark.scoring.metrics.uar", lambda confusion: confusion.sum(axis=(-2, -1)).astype(float))
    command = ["check-plugin", METRIC, "--only", "range", "--expect", "range=it counts clips"]
    assert main(command) == 0
    assert "expected  range" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["midaz"], "unknown plugin 'midaz'; did you mean 'midas'"),
        ([METRIC, "--only", "rang"], "unknown check 'rang'; did you mean 'range'"),
        ([METRIC, "--expect", "range"], "write CHECK=REASON"),
        ([METRIC, "--expect", "range="], "give the reason in words"),
    ],
)
def test_what_is_asked_for_and_cannot_be_is_refused(arguments, reason, capsys):
    assert main(["check-plugin", *arguments]) == 2
    assert reason in capsys.readouterr().err


def test_importing_the_checks_imports_neither_torch_nor_opencv():
    code = "import sys; from benchmark import testing; print([m for m in ('torch', 'cv2') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr
