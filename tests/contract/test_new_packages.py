"""What `benchmark new` writes passes every check as it is, installed from elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.scaffold import KINDS, new_package
from tests.conftest import benchmark

PACKAGES = {**{f"my-{kind}": (kind, None) for kind in KINDS}, "my-module": ("method", "torch")}


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> dict[str, str]:
    """An environment in which a package of every kind is installed."""
    place, site = tmp_path_factory.mktemp("new"), tmp_path_factory.mktemp("site")
    for name, (kind, source) in PACKAGES.items():
        new_package(kind, name, place, source)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target", site]
    done = subprocess.run([*pip, *(place / name for name in PACKAGES)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {**os.environ, "PYTHONPATH": str(site), "PLACE": str(place)}


@pytest.mark.slow
def test_what_a_new_package_states_without_a_unit_being_run_holds(installed):
    """A method's and an augmentation's models, and the sizes that presets state."""
    for name in ("my-module", "my-augmentation"):
        only = ["spec", "light-import", "shapes", *(["size-paper", "size-small"] if name == "my-module" else [])]
        options = [part for check in only for part in ("--only", check)]
        done = benchmark("check-plugin", name, *options, env=installed)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"{len(only)} passed" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", PACKAGES)
def test_a_new_package_passes_every_check(name, installed):
    done = benchmark("check-plugin", name, "--json", env=installed)
    results = json.loads(done.stdout)
    assert done.returncode == 0, results
    skipped = {result["name"] for result in results if result["outcome"] != "passed"}
    assert skipped == ({"votes", "counts"} if name == "my-dataset" else set())


@pytest.mark.slow
def test_its_own_tests_are_the_checks(installed):
    place = Path(installed["PLACE"]) / "my-augmentation"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", place],
        cwd=place,
        env=installed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "10 passed" in done.stdout
