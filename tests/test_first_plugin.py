"""The first plugin as the README shows it: its files, installed, and the commands below them, run."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
SECTION = README[README.index("## Add a method") : README.index("## Licence")]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", SECTION, re.M | re.S)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """Where the plugin is installed, from the files that the section shows under their names."""
    project = tmp_path_factory.mktemp("my-dfer")
    for text in (*blocks("toml"), *blocks("python")):
        name = text.partition("\n")[0].removeprefix("# ")
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(text)
    site = tmp_path_factory.mktemp("site")
    # Beside the environment instead of into it, and without asking an index for setuptools.
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target", site]
    done = subprocess.run([*pip, project], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return site


def run(site: Path, *arguments: object) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, "-m", "benchmark", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)


def commands() -> list[list[str]]:
    (lines,) = blocks("sh")
    return [shlex.split(line) for line in lines.splitlines()]


def test_the_section_installs_lists_and_runs_the_plugin():
    assert [command[:2] for command in commands()] == [
        ["pip", "install"],
        ["benchmark", "list"],
        ["benchmark", "run"],
    ]


def test_the_plugin_is_listed_and_no_plugin_has_a_problem(site):
    done = run(site, *commands()[1][1:], "--json")
    assert "my-dfer" in done.stdout
    assert "problem" not in done.stderr


def test_the_plugin_trains_and_is_scored(site, synthetic_root, tmp_path):
    """On fewer synthetic clips than the demo draws, and for fewer epochs."""
    asked = [part for part in commands()[2][1:] if part != "--demo"]
    fewer = ["--data-root", synthetic_root, "--set", "epochs=1", "--jobs", "1", "-o", tmp_path, "--json"]
    done = run(site, *asked, *fewer)
    assert done.returncode == 0, done.stderr
    (record,) = json.loads(done.stdout)
    assert (record["method"]["name"], record["method"]["preset"]) == ("my-dfer", "small")
    assert len(record["units"]) == 1
    assert record["method"]["parameters"] > 10_000


@pytest.mark.slow
def test_the_readmes_own_line_gives_about_what_it_says(site, tmp_path):
    done = run(site, *commands()[2][1:], "-o", tmp_path, "--json")
    (record,) = json.loads(done.stdout)
    assert record["aggregates"]["metrics"]["uar"]["mean"] > 0.6
