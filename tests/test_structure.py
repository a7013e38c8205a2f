"""The rules of the house are checked by a linter and by mypy, and these find what breaks them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmark.registry import registry
from benchmark.specs import MetricSpec

ROOT = Path(__file__).parent.parent
# What is planted in which file, and the contract that it breaks.
PLANTED = {
    "benchmark/scoring/metrics.py": ("import benchmark.running.run", "Imports point one way"),
    "benchmark/records/verify.py": ("import torch", "torch, MMEngine and MMAction2 are imported by training alone"),
    "benchmark/planning/data.py": ("import decord", "Videos are decoded by video alone"),
    "benchmark/emotions.py": ("import benchmark.files", "Imports point one way"),
    "benchmark/protocol/model.py": ("import benchmark.protocol.reading", "Inside each package imports go one way"),
}


@pytest.fixture(scope="module")
def violated(tmp_path_factory) -> Path:
    """A copy of the packages with one violation of each kind."""
    place = tmp_path_factory.mktemp("violated")
    for name in ("benchmark", "plugins/benchmark_plugins"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(ROOT / "pyproject.toml", place / "pyproject.toml")
    for name, (line, _) in PLANTED.items():
        path = place / name
        path.write_text(path.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    named = place / "benchmark/running/run.py"
    named.write_text(named.read_text(encoding="utf-8") + '\nFAVOURITE = "tsm"\n', encoding="utf-8")
    return place


def lint(place: Path) -> str:
    code = "import sys; sys.path[:0] = ['.', 'plugins']; from importlinter.cli import lint_imports; lint_imports()"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=300, check=False).stdout


def test_imports_keep_the_rules():
    assert "0 broken" in lint(ROOT)


def test_every_planted_import_is_found(violated):
    report = lint(violated)
    for name, (line, contract) in PLANTED.items():
        module = name.removesuffix(".py").replace("/", ".")
        imported = line.removeprefix("import ")
        assert f"{module} -> {imported}" in report or f"{imported.rpartition('.')[2]}" in report, name
        assert any(text.startswith(contract) and "BROKEN" in text for text in report.splitlines()), contract


@pytest.mark.parametrize("broken", [False, True])
def test_a_method_that_the_harness_names_is_found(violated, broken):
    place = violated if broken else ROOT
    command = [sys.executable, str(ROOT / ".ci/check_names.py"), str(place / "benchmark")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == int(broken)
    assert ("run.py" in done.stdout and "'tsm' is named" in done.stdout) == broken


# The type of what each field of a spec points at; a metric's follows from its input.
POINTED_AT = {
    "recipe": "MakeRecipe",
    "keys": "RenameTensors",
    "export": "RenameTensors",
    "build": "BuildAugmentation",
    "find": "FindDataset",
    "read": "ReadDataset",
    "synthesize": "Synthesize",
    "compute": "ScoreConfusion",
    "watcher": "MakeWatcher",
}


def pointed_at() -> Iterator[tuple[str, str]]:
    """Every import path in a spec, and the type of what is there."""
    known = registry()
    methods = list(known.methods.values())
    specs: list[Any] = [*methods, *known.augmentations.values(), *known.datasets.values(), *known.metrics.values()]
    specs += known.trackers.values()
    specs += [part for spec in methods for part in (*spec.networks.values(), *spec.pretrainings.values())]
    for spec in specs:
        for name, expected in POINTED_AT.items():
            if path := getattr(spec, name, None):
                of_targets = isinstance(spec, MetricSpec) and spec.input not in ("confusion", "blends")
                yield path, "ScoreTargets" if of_targets else expected


def mypy(place: Path, *files: str) -> list[str]:
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), "--no-pretty", *files]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode in (0, 1), done.stderr
    return [line for line in done.stdout.splitlines() if ": error: " in line]


def test_every_function_that_a_spec_points_at_has_its_type_and_mypy_finds_two_that_do_not_and_two_faults(tmp_path):
    for name in ("benchmark", "plugins/benchmark_plugins"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    if (ROOT / ".mypy_cache").is_dir():  # of `make check`, which saves most of the time
        shutil.copytree(ROOT / ".mypy_cache", tmp_path / ".mypy_cache")
    paths = dict(pointed_at())
    modules = sorted({path.partition(":")[0] for path in paths})
    lines = [f"import {module}" for module in modules]
    lines += ["from benchmark.plugin_functions import *", "from benchmark.watcher import MakeWatcher"]
    lines += [f"_{k}: {paths[path]} = {path.replace(':', '.')}" for k, path in enumerate(sorted(paths))]
    wrong = {"benchmark.scoring.metrics:uar": "ScoreTargets", "benchmark_plugins.tsm.recipe:recipe": "RenameTensors"}
    lines += [f"wrong_{k}: {kind} = {path.replace(':', '.')}" for k, (path, kind) in enumerate(wrong.items())]
    (tmp_path / "pointed_at.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    recipe, spec = (tmp_path / "plugins/benchmark_plugins/tsm" / name for name in ("recipe.py", "__init__.py"))
    plant(recipe, "    return Recipe(\n", "    preset.no_such_field.upper()\n    return Recipe(\n        nonsense=1,\n")
    plant(spec, "MethodSpec(\n", 'MethodSpec(\n    no_such_field="x",\n')
    found = mypy(tmp_path, "pointed_at.py", str(recipe.relative_to(tmp_path)), str(spec.relative_to(tmp_path)))
    wanted = (
        ("tsm/recipe.py", '"Preset" has no attribute "no_such_field"'),
        ("tsm/recipe.py", 'Unexpected keyword argument "nonsense" for "Recipe"'),
        ("tsm/__init__.py", 'Unexpected keyword argument "no_such_field" for "MethodSpec"'),
        ("pointed_at.py", "Incompatible types in assignment"),
        ("pointed_at.py", "Incompatible types in assignment"),
    )
    assert len(found) == len(wanted), found
    for place, message in wanted:
        assert any(place in line and message in line for line in found), (place, message)


def plant(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")


def test_experiments_use_the_library_and_not_the_command_line():
    files = [path for path in (ROOT / "experiments").rglob("*.py")]
    assert files
    assert not [path for path in files if "benchmark.cli" in path.read_text(encoding="utf-8")]
