"""Several processes for a unit, as commands: started by `--gpus`, and by torchrun."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from benchmark.scoring.predictions import read_predictions
from benchmark.units.state import read_state

UNIT = ("run", "--protocol", "dfew-5fold", "--method", "frame-average", "--folds", "1")
PRETRAINING = ("pretrain", "--method", "videomae", "--micro-batch", "2")
SMALL = ("--preset", "small", "--set", "epochs=1", "--set", "batch_size=4", "--limit", "9", "--device", "cpu")
TORCHRUN = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "benchmark")

pytestmark = pytest.mark.slow


def command(*arguments: object) -> subprocess.CompletedProcess:
    line = [sys.executable, "-m", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(line, capture_output=True, text=True, timeout=1200, check=False, env=environment)


def probabilities(out: Path) -> np.ndarray:
    (state,) = out.rglob("state.json")
    classes = read_state(state.parent).unit.protocol.classes
    return read_predictions(state.parent / "predictions.test.csv.gz", classes).probabilities


@pytest.fixture(scope="module")
def alone(synthetic_root, tmp_path_factory):
    out = tmp_path_factory.mktemp("alone")
    done = command("benchmark", *UNIT, *SMALL, "--data-root", synthetic_root, "-o", out)
    assert done.returncode == 0, done.stderr
    return probabilities(out)


@pytest.mark.parametrize("start", [("benchmark",), TORCHRUN])
def test_a_unit_is_computed_by_two_processes(alone, synthetic_root, tmp_path, start):
    gpus = () if start == TORCHRUN else ("--gpus", 2)
    done = command(*start, *UNIT, *SMALL, "--data-root", synthetic_root, "-o", tmp_path, *gpus)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(probabilities(tmp_path), alone, rtol=1e-3, atol=1e-5)
    assert done.stderr.count("starting") == 1, "only the first process speaks"


@pytest.mark.parametrize("start", [("benchmark",), TORCHRUN])
def test_a_pretraining_is_computed_by_two_processes(synthetic_root, tmp_path, start):
    gpus = () if start == TORCHRUN else ("--gpus", 2)
    found = []
    for how, options in ((("benchmark",), ()), (start, gpus)):
        out = tmp_path / str(len(found))
        done = command(*how, *PRETRAINING, *SMALL, "--videos", synthetic_root, "-o", out, *options)
        assert done.returncode == 0, done.stderr
        found.append(load_file(done.stdout.strip().splitlines()[-1]))
    for name, values in found[0].items():
        np.testing.assert_allclose(found[1][name], values, rtol=1e-3, atol=1e-5)


def test_what_is_wrong_with_the_command_ends_all_processes(synthetic_root, tmp_path):
    done = command(*TORCHRUN, *UNIT, *SMALL, "--data-root", synthetic_root, "-o", tmp_path, "--gpus", 3)
    assert done.returncode != 0
    assert "torchrun has started 2 processes" in done.stderr
