"""Completion as a shell asks for it: the command line so far in the environment, the answers in a file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.registry import registry

pytest.importorskip("argcomplete")


@pytest.fixture
def asked(tmp_path):
    """What is offered for a line so far; a torch that cannot be imported stands before the real one."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch/__init__.py").write_text("raise SystemError('torch was imported')")

    def ask(line: str, folder: Path = tmp_path) -> list[str]:
        answers = tmp_path / "answers"
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", ""), os.getcwd()]),
            "_ARGCOMPLETE": "1",
            "_ARGCOMPLETE_IFS": "\n",
            "_ARGCOMPLETE_STDOUT_FILENAME": str(answers),
            "COMP_LINE": line,
            "COMP_POINT": str(len(line)),
            "COMP_TYPE": "9",
        }
        command = [sys.executable, "-m", "benchmark"]
        subprocess.run(command, env=environment, cwd=folder, capture_output=True, timeout=60, check=False)
        return [word.strip() for word in answers.read_text().split("\n")]

    return ask


def test_commands_are_completed(asked):
    assert set(asked("benchmark le")) == {"leaderboard"}


def test_options_are_completed(asked):
    assert "--protocol" in asked("benchmark run --pro")


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("benchmark run --method ", "methods"),
        ("benchmark run --protocol dfew-5fold --augment ", "augmentations"),
        ("benchmark score RUN --metric ", "metrics"),
        ("benchmark data check ", "datasets"),
        ("benchmark pretrain --dataset ", "datasets"),
    ],
)
def test_registered_names_are_completed_without_torch(asked, line, kind):
    assert set(getattr(registry(), kind)) <= set(asked(line))


def test_a_protocol_is_a_name_or_a_file(asked, tmp_path):
    (tmp_path / "dfew-mine.yaml").write_text("")
    assert {"dfew-5fold", "dfew-mine.yaml"} <= set(asked("benchmark run --protocol dfew-"))


def test_only_what_begins_so_is_offered(asked):
    assert asked("benchmark show m3") == ["m3dfel"]


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_what_a_shell_evaluates_names_the_command(shell, capsys):
    from benchmark.cli.main import main

    assert main(["completion", shell]) == 0
    assert "benchmark" in capsys.readouterr().out


def test_without_argcomplete_the_command_says_what_to_install(monkeypatch, capsys):
    from benchmark.cli.main import main

    monkeypatch.setitem(sys.modules, "argcomplete", None)
    assert main(["completion", "bash"]) == 3
    assert "pip install argcomplete" in capsys.readouterr().err
