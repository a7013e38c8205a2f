"""The rules of the house are checked by a linter, and the linter finds what breaks them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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
