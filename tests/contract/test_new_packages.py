"""What `benchmark new` writes passes every check as it is, installed from elsewhere into a fresh environment."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmark.scaffold import KINDS, new_package

PACKAGES = {**{f"my-{kind}": (kind, None) for kind in KINDS}, "my-module": ("method", "torch")}
# What a check says where there is nothing to check.
SKIPPED = {"my-dataset": {"votes", "counts"}}


@dataclass(frozen=True)
class Fresh:
    """A fresh environment, into which every package is installed by pip; packages: the folder in which they lie."""

    python: Path
    packages: Path

    def run(self, *arguments: object, folder: Path) -> subprocess.CompletedProcess:
        """Run its Python, which finds nothing but what is installed, in a folder that is not the checkout."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL"))}
        command = [str(self.python), *map(str, arguments)]
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=1800, check=False
        )


@pytest.fixture(scope="module")
def fresh(tmp_path_factory) -> Fresh:
    """It sees this environment's packages below its own, so that nothing is fetched."""
    place, packages = tmp_path_factory.mktemp("environment"), tmp_path_factory.mktemp("packages")
    venv.create(place, with_pip=False, symlinks=True)
    own = next(place.glob("lib/python*/site-packages"))
    (own / "below.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    for name, (kind, source) in PACKAGES.items():
        new_package(kind, name, packages, source)
    made = Fresh(place / "bin/python", packages)
    pip = ("-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation")
    done = made.run(*pip, *(packages / name for name in PACKAGES), folder=packages)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in own.glob("my_*.dist-info")} == {
        f"{name.replace('-', '_')}-0.1.0.dist-info" for name in PACKAGES
    }
    return made


@pytest.mark.slow
def test_what_a_new_package_states_without_a_unit_being_run_holds(fresh, tmp_path):
    """A method's and an augmentation's models, and the sizes that presets state."""
    for name in ("my-module", "my-augmentation"):
        only = ["spec", "light-import", "shapes", *(["size-paper", "size-small"] if name == "my-module" else [])]
        options = [part for check in only for part in ("--only", check)]
        done = fresh.run("-m", "benchmark", "check-plugin", name, *options, folder=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"{len(only)} passed" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", PACKAGES)
def test_a_new_package_passes_every_check(name, fresh, tmp_path):
    done = fresh.run("-m", "benchmark", "check-plugin", name, "--json", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(done.stdout)
    assert {result["name"] for result in results if result["outcome"] != "passed"} == SKIPPED.get(name, set())


@pytest.mark.slow
def test_its_own_tests_are_the_checks(fresh):
    place = fresh.packages / "my-augmentation"
    done = fresh.run("-m", "pytest", "-q", "-p", "no:cacheprovider", place, folder=place)
    assert done.returncode == 0, done.stdout
    assert "10 passed" in done.stdout
