"""Shared by all tests: a small synthetic DFEW, a cache of its own, and the command line as a user runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.locks import exclusive

# Tests compute on the processor, also beside an accelerator; said before anything asks CUDA what there is.
os.environ["CUDA_VISIBLE_DEVICES"] = ""
# Shells have what they start in the background ignore Ctrl-C; tests that interrupt must not depend on how they are run.
signal.signal(signal.SIGINT, signal.default_int_handler)

SYNTHETIC_CLIPS = 60


@pytest.fixture(scope="session", autouse=True)
def private_cache(tmp_path_factory):
    """No test reads or fills the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["BENCHMARK_CACHE"] = str(folder)
    os.environ.pop("BENCHMARK_DATA_ROOT", None)
    return folder


@pytest.fixture(scope="session")
def synthetic_root(tmp_path_factory) -> Path:
    """A synthetic DFEW of 60 clips, for all processes that test; not to be changed by a test (copy it instead)."""
    from benchmark.datasets.synthetic.dfew import synthesize

    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "data"
    with exclusive(place, patience=600):
        if not (out := place / "DFEW").is_dir():
            synthesize(out, SYNTHETIC_CLIPS, 0, lambda done, total: None)
    return out


@pytest.fixture
def made_up_lists(tmp_path, monkeypatch):
    """Nothing is known of any official list, so that made-up clips can stand for real ones."""
    monkeypatch.setattr("benchmark.protocol.facts.FOLDER", tmp_path / "no-facts")


def benchmark(*arguments: object, **options) -> subprocess.CompletedProcess:
    """Run the installed command line; nothing is checked."""
    command = [sys.executable, "-m", "benchmark", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, **options)
