"""Several processes that share each batch of a unit do what one does, and end together."""

from __future__ import annotations

import multiprocessing
import os
import signal

import numpy as np
import pytest
import torch

import benchmark
from benchmark import Request, Resources, Variant
from benchmark.errors import EnvironmentProblem, UsageError
from benchmark.running import team, torchrun
from benchmark.scoring.predictions import read_predictions
from benchmark.training.weights import read_checkpoint
from benchmark.units.state import read_state
from tests.small_runs import Remembering

SETTINGS = ("epochs=2", "batch_size=4")


@pytest.fixture(autouse=True)
def forked(monkeypatch):
    """Processes that need not import torch anew; everything else is as in a run."""
    fork = multiprocessing.get_context("fork")
    monkeypatch.setattr(team.multiprocessing, "get_context", lambda kind: fork)


def run(root, out, resources, method="frame-average", settings=SETTINGS, watcher=None):
    variants = (Variant(method),)
    request = Request("dfew-5fold", variants, preset="small", folds=(1,), settings=settings, limit=9)
    watcher = watcher or Remembering()
    (record,) = benchmark.run(request, data_root=root, runs=out, resources=resources, watcher=watcher)
    (folder,) = (path.parent for path in out.rglob("state.json"))
    return record, folder, watcher


def check_same(one, two):
    ours, theirs = (read_checkpoint(folder / "checkpoints" / "last.pth") for folder in (one, two))
    for mine, other in zip(ours["meta"]["history"], theirs["meta"]["history"], strict=True):
        assert mine["loss"] == pytest.approx(other["loss"], rel=1e-4)
        assert mine["val"] == pytest.approx(other["val"])
    for name, value in ours["state_dict"].items():
        torch.testing.assert_close(theirs["state_dict"][name], value, rtol=1e-3, atol=1e-5)
    classes = read_state(one).unit.protocol.classes
    for split in ("val", "test"):
        mine, other = (read_predictions(folder / f"predictions.{split}.csv.gz", classes) for folder in (one, two))
        assert mine.ids == other.ids
        np.testing.assert_allclose(mine.probabilities, other.probabilities, rtol=1e-3, atol=1e-5)


@pytest.fixture(scope="module")
def alone(synthetic_root, tmp_path_factory):
    """What one process makes of a network with batch norms."""
    return run(synthetic_root, tmp_path_factory.mktemp("alone"), Resources("cpu", jobs=1))[1]


def test_two_processes_train_and_predict_as_one_does(alone, synthetic_root, tmp_path):
    record, folder, _ = run(synthetic_root, tmp_path, Resources("cpu", gpus=2))
    check_same(alone, folder)
    assert record.units[0].cost.computing.processes == 2


def test_what_is_mixed_and_dropped_does_not_depend_on_the_number_of_processes(synthetic_root, tmp_path):
    """VideoMAE mixes clips of the whole batch, and drops paths at random; small, only where it is asked to."""
    settings = (*SETTINGS, "preset.mixing=true", "preset.drop_path=0.3")
    found = []
    for gpus in (None, 2):
        resources = Resources("cpu", jobs=1, gpus=gpus, micro_batch=1)
        found.append(run(synthetic_root, tmp_path / str(gpus), resources, "videomae", settings)[1])
    check_same(*found)


class Interrupting(Remembering):
    def epoch(self, unit, row):
        raise KeyboardInterrupt


def test_two_processes_go_on_where_one_was_interrupted(alone, synthetic_root, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(synthetic_root, tmp_path, Resources("cpu", jobs=1), watcher=Interrupting())
    _, folder, watcher = run(synthetic_root, tmp_path, Resources("cpu", gpus=2))
    assert watcher.epochs == [2]
    check_same(alone, folder)


def kill_the_second(*_):
    if torch.distributed.is_initialized() and torch.distributed.get_rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def fail_the_second(*_):
    if torch.distributed.is_initialized() and torch.distributed.get_rank() == 1:
        raise OSError("no such clip")


@pytest.mark.parametrize(
    ("what", "reason"),
    [(kill_the_second, "process 1 of 2 that computed together was killed by signal 9"), (fail_the_second, "no such")],
)
def test_one_that_fails_ends_all_and_the_unit_says_why(synthetic_root, tmp_path, monkeypatch, what, reason):
    from benchmark.training.hooks import SeedEpochs

    monkeypatch.setattr(SeedEpochs, "before_train_epoch", what)
    _, folder, watcher = run(synthetic_root, tmp_path, Resources("cpu", gpus=2))
    (told,) = watcher.failures
    assert reason in told
    state = read_state(folder)
    assert (state.status, state.error) == ("failed", told)
    assert not multiprocessing.active_children()


def test_an_interrupt_ends_all_processes(synthetic_root, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(synthetic_root, tmp_path, Resources("cpu", gpus=2), watcher=Interrupting())
    assert not multiprocessing.active_children()


def test_what_contradicts_itself_is_refused(monkeypatch):
    with pytest.raises(UsageError, match="--jobs 2: units that are computed on several --gpus run one after the other"):
        Resources(jobs=2, gpus=2).jobs_on(True)
    with pytest.raises(UsageError, match="that is one device"):
        team.device_for_each(2, "cuda:1")
    with pytest.raises(EnvironmentProblem, match="torch sees 0 accelerators"):
        team.device_for_each(2, "auto")
    for name, value in zip(team.TORCHRUN, ("0", "4", "0", "localhost", "1"), strict=True):
        monkeypatch.setenv(name, value)
    assert torchrun.team_size(None) == 4
    with pytest.raises(UsageError, match="torchrun has started 4 processes"):
        torchrun.team_size(2)
