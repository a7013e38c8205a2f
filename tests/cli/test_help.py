"""What `--help` and `--version` tell: examples that can be typed, versions that are the installed ones."""

from __future__ import annotations

import importlib.metadata
import itertools
import platform
import shlex

import pytest

from benchmark import __version__
from benchmark.cli.examples import EXAMPLES
from benchmark.cli.main import build_parser
from benchmark.cli.parser import commands_of
from tests.conftest import benchmark

COMMANDS = dict(commands_of(build_parser()))


def test_every_command_has_examples_and_no_example_is_of_a_command_that_is_gone():
    assert set(EXAMPLES) == {"", *COMMANDS}


@pytest.mark.parametrize("command", EXAMPLES)
def test_an_example_parses_and_is_of_its_command(command):
    for line in EXAMPLES[command]:
        # What a shell evaluates is itself a command.
        words = shlex.split(line.removeprefix('eval "$(').partition(")")[0], comments=True)
        program, *arguments = list(itertools.takewhile(lambda word: word not in (">", ">>"), words))
        assert program == "benchmark"
        assert " ".join(arguments).startswith(command)
        build_parser().parse_args(arguments)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_says_what_the_command_does_and_shows_the_examples_as_they_are(command):
    parser = COMMANDS.get(command) or build_parser()
    shown = parser.format_help()
    assert parser.description
    assert shown.endswith("examples:\n" + "".join(f"  {line}\n" for line in EXAMPLES[command]))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_argument_is_explained(command):
    assert not [action for action in COMMANDS[command]._actions if not action.help]


def test_the_version_names_what_computes():
    shown = dict(line.split(" ", 1) for line in benchmark("--version").stdout.splitlines())
    assert shown["benchmark"] == __version__
    assert shown["python"] == platform.python_version()
    for package in ("torch", "mmengine", "mmaction2", "av", "numpy"):
        assert shown[package] == importlib.metadata.version(package)


def test_a_package_that_is_missing_is_said_to_be(monkeypatch):
    from benchmark.cli import versions

    monkeypatch.setattr(versions, "PACKAGES", ("no-such-package",))
    assert versions.versions()["no-such-package"] == "not installed"
