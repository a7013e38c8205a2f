"""What a visitor of the repository relies on: versions that agree, workflows that may do little, forms that open."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from benchmark import __version__
from tests.conftest import benchmark

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
FORMS = sorted(path for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def read(path: Path) -> dict:
    return yaml.safe_load(path.read_text())


def releases() -> list[tuple[str, str]]:
    """Version and date of each release in the changelog, as they stand there."""
    return re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d{2}-\d{2})$", (ROOT / "CHANGELOG.md").read_text(), re.M)


def numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".")[:3]]


# Versions.


def test_the_version_is_written_once_and_shown():
    assert "version" in PROJECT["project"]["dynamic"]
    assert "version" not in PROJECT["project"]
    assert benchmark("--version").stdout.splitlines()[0] == f"benchmark {__version__}"


def test_the_version_is_the_newest_release_or_the_development_of_the_next():
    newest = releases()[0][0]
    assert __version__ == newest or (numbers(__version__) > numbers(newest) and re.search(r"\.dev\d+$", __version__))


def test_the_changelog_is_newest_first():
    found = [numbers(version) for version, _ in releases()]
    assert found == sorted(found, reverse=True)
    assert (ROOT / "CHANGELOG.md").read_text().index("## [Unreleased]") < (ROOT / "CHANGELOG.md").read_text().index(
        f"## [{releases()[0][0]}]"
    )


def test_the_citation_is_that_of_the_newest_release():
    citation = read(ROOT / "CITATION.cff")
    assert (citation["version"], str(citation["date-released"])) == releases()[0]
    assert citation["license"] == PROJECT["project"]["license"]


def test_every_tag_that_the_documents_name_is_a_release():
    named = {
        tag for path in ROOT.glob("*.md") for tag in re.findall(r"(?<![\w./])v(\d+\.\d+\.\d+)\b", path.read_text())
    }
    assert named <= {version for version, _ in releases()}


# Workflows.


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_only_read(path):
    """But for the job that publishes the pages: see below."""
    workflow = read(path)
    jobs = {name: job for name, job in workflow["jobs"].items() if (path.stem, name) != ("pages", "deploy")}
    for what in (workflow, *jobs.values()):
        assert set(what.get("permissions", {"contents": "read"}).values()) <= {"read", "none"}
    assert "permissions" in workflow
    assert "secrets." not in path.read_text()


def test_what_publishes_the_pages_runs_nothing_of_ours_and_only_for_main():
    workflow = read(ROOT / ".github/workflows/pages.yml")
    # YAML 1.1 reads the key `on` as true.
    assert workflow[True] == {"push": {"branches": ["main"]}, "workflow_dispatch": None}
    deploy = workflow["jobs"]["deploy"]
    assert deploy["permissions"] == {"pages": "write", "id-token": "write"}
    assert [step["uses"].partition("@")[0] for step in deploy["steps"]] == ["actions/deploy-pages"]
    assert not any("run" in step for step in deploy["steps"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_an_action_is_named_by_a_commit_and_keeps_no_credentials(path):
    for job in read(path)["jobs"].values():
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"])
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_the_tests_run_on_every_python_and_on_both_ends_of_torch():
    matrix = read(ROOT / ".github/workflows/check.yml")["jobs"]["tests"]["strategy"]["matrix"]
    assert matrix["python"] == ["3.11", "3.12", "3.13"]
    assert PROJECT["project"]["requires-python"] == f">={matrix['python'][0]}"
    (bounds,) = (need for need in PROJECT["project"]["dependencies"] if need.startswith("torch"))
    lowest, above = re.fullmatch(r"torch>=(\d+\.\d+),<(\d+\.\d+)", bounds).groups()
    lowest_tested = [include["torch"] for include in matrix["include"]]
    assert [version.rpartition(".")[0] for version in lowest_tested] == [lowest]
    (newest_tested,) = matrix["torch"]
    major, minor = above.split(".")
    assert newest_tested.startswith(f"{major}.{int(minor) - 1}.")
    assert f"torch=={newest_tested}" in (ROOT / "Makefile").read_text()


# Forms and make.


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_can_be_opened(path):
    form = read(path)
    assert {"name", "description", "body"} <= set(form)
    ids = [field["id"] for field in form["body"]]
    assert len(ids) == len(set(ids))
    for field in form["body"]:
        assert field["type"] in ("textarea", "input", "dropdown")
        assert field["attributes"]["label"]
        assert (field["type"] == "dropdown") == bool(field["attributes"].get("options"))


def test_make_without_a_target_lists_every_target_with_what_it_does():
    shown = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = dict(line.removeprefix("make ").split(maxsplit=1) for line in shown.splitlines())
    (phony,) = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.M)
    assert set(listed) == set(phony.split())
    assert {"demo", "test"} <= set(listed)


def test_every_hook_before_a_commit_runs_a_pinned_tool():
    pinned = (ROOT / "requirements-dev.txt").read_text()
    for repository in read(ROOT / ".pre-commit-config.yaml")["repos"]:
        assert repository["repo"] == "local"
        for hook in repository["hooks"]:
            tool = hook["entry"].split()[0].removeprefix(".venv/bin/")
            assert f"\n{tool}==" in pinned
