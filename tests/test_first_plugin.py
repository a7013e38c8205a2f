"""The first plugin as the README has it: followed line by line, from an empty folder to a row on a leaderboard."""

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


def commands() -> list[list[str]]:
    return [shlex.split(line) for lines in blocks("sh") for line in lines.splitlines()]


def run(place: Path, site: Path, *arguments: object) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(site)}
    command = [sys.executable, "-m", "benchmark", *map(str, arguments)]
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=900, check=False)


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """The folder that the section's first command writes, with the files that the section shows."""
    place = tmp_path_factory.mktemp("empty")
    done = run(place, place, *commands()[0][1:])
    assert done.returncode == 0, done.stderr
    project = place / commands()[1][1]
    for text in blocks("python"):
        path = project / text.partition("\n")[0].removeprefix("# ")
        assert path.is_file()
        path.write_text(text)
    return project


@pytest.fixture(scope="module")
def site(project, tmp_path_factory) -> Path:
    """Where it is installed: beside the environment instead of into it, and without asking an index for hatchling."""
    site = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target", site]
    done = subprocess.run([*pip, project], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return site


def test_the_section_begins_a_package_checks_it_and_brings_it_to_a_leaderboard():
    assert [command[: 3 if command[1] == "leaderboard" else 2] for command in commands()] == [
        ["benchmark", "new"],
        ["cd", "my-dfer"],
        ["pip", "install"],
        ["benchmark", "check-plugin"],
        ["benchmark", "run"],
        ["benchmark", "leaderboard", "add"],
    ]


def test_the_file_that_its_author_writes_has_less_than_sixty_lines(project):
    written = [text for text in blocks("python")]
    assert len(written) == 1
    assert len(written[0].splitlines()) < 60
    assert "mmengine" not in written[0].lower() and "mmaction" not in written[0].lower()


def test_the_plugin_is_listed_and_no_plugin_has_a_problem(project, site):
    done = run(project, site, "list", "methods", "--json")
    assert "my-dfer" in done.stdout
    assert "problem" not in done.stderr


def test_the_plugin_trains_and_is_scored(project, site, synthetic_root, tmp_path):
    """On fewer synthetic clips than the demo draws, and for fewer epochs."""
    asked = [part for part in commands()[4][1:] if part != "--demo"]
    fewer = ["--data-root", synthetic_root, "--preset", "small", "--set", "epochs=1", "--jobs", "1", "-o", tmp_path]
    done = run(project, site, *asked, *fewer, "--json")
    assert done.returncode == 0, done.stderr
    (record,) = json.loads(done.stdout)
    assert (record["method"]["name"], record["method"]["preset"]) == ("my-dfer", "small")
    assert len(record["units"]) == 1
    assert record["method"]["parameters"] > 10_000


@pytest.mark.slow
def test_the_sections_own_lines_lead_to_a_row_on_a_leaderboard(project, site):
    for command in commands()[3:]:
        done = run(project, site, *command[1:])
        assert done.returncode == 0, done.stdout + done.stderr
    (path,) = (project / "runs").rglob("record.json")
    assert json.loads(path.read_text())["aggregates"]["metrics"]["uar"]["mean"] > 0.6
    pages = "".join(page.read_text() for page in (project / "my-leaderboard").glob("*.md"))
    assert "My dfer" in pages
