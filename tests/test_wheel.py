"""The wheel in a fresh environment, outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_packaging import ROOT, wheel  # noqa: F401

pytestmark = pytest.mark.slow


def run(*command: str | Path, folder: Path) -> subprocess.CompletedProcess:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL"))}
    return subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )


def test_an_installed_wheel_lists_methods_and_runs_the_demo(wheel, tmp_path):  # noqa: F811
    done = run(sys.executable, "-m", "venv", "fresh", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    pip = (tmp_path / "fresh/bin/python", "-m", "pip", "install", "-q", "--no-deps")
    for what in (("torch==2.13.0",), ("-r", ROOT / "requirements.txt"), (wheel,)):
        done = run(*pip, *what, folder=tmp_path)
        assert done.returncode == 0, done.stderr
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    benchmark = tmp_path / "fresh/bin/benchmark"
    assert "former-dfer" in run(benchmark, "list", "methods", folder=elsewhere).stdout
    done = run(benchmark, "run", "--protocol", "dfew-5fold", "--demo", folder=elsewhere)
    assert done.returncode == 0, done.stderr
    assert "| Former-DFER" in done.stdout
    assert (elsewhere / "runs/SYNTHETIC.md").is_file()
