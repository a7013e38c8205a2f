"""Checkpoints of finished trainings hold weights, history and origin, and nothing of the optimiser."""

from __future__ import annotations

import hashlib
import os
from types import SimpleNamespace

import pytest
import torch

from benchmark.errors import IntegrityError
from benchmark.planning.request import Request, Variant
from benchmark.running.steps import run_unit
from benchmark.training.hooks import BEST, LAST, KeepCheckpoints, link_best
from benchmark.training.reduction import reduce_checkpoint, reduce_checkpoints
from benchmark.training.weights import read_weight_file
from tests.small_runs import Remembering, planned


def checkpoint(path, epoch):
    weights = {"w": torch.arange(4.0) + epoch}
    torch.save(
        {"meta": {"epoch": epoch, "history": []}, "state_dict": weights, "optimizer": {"w": torch.ones(8)}}, path
    )


def inside(path):
    return torch.load(path, weights_only=True)


def content(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_optimiser_goes_and_the_rest_stays(tmp_path):
    checkpoint(tmp_path / LAST, 3)
    before = inside(tmp_path / LAST)
    reduce_checkpoint(tmp_path / LAST)
    after = inside(tmp_path / LAST)
    assert after.keys() == {"meta", "state_dict"}
    assert after["meta"] == before["meta"] and torch.equal(after["state_dict"]["w"], before["state_dict"]["w"])


def test_one_that_is_reduced_is_left_as_it_is(tmp_path):
    checkpoint(tmp_path / LAST, 3)
    reduce_checkpoint(tmp_path / LAST)
    before = os.stat(tmp_path / LAST)
    reduce_checkpoint(tmp_path / LAST)
    assert os.stat(tmp_path / LAST) == before


def test_the_best_stays_the_best(tmp_path):
    checkpoint(tmp_path / LAST, 1)
    link_best(tmp_path)
    checkpoint(tmp_path / "next", 2)
    os.replace(tmp_path / "next", tmp_path / LAST)
    reduce_checkpoints(tmp_path)
    assert inside(tmp_path / BEST)["meta"]["epoch"] == 1 and inside(tmp_path / LAST)["meta"]["epoch"] == 2
    assert "optimizer" not in inside(tmp_path / BEST)


def test_two_names_of_one_checkpoint_stay_one_file(tmp_path):
    checkpoint(tmp_path / LAST, 1)
    link_best(tmp_path)
    reduce_checkpoints(tmp_path)
    assert (tmp_path / LAST).samefile(tmp_path / BEST)


def test_the_same_checkpoint_is_reduced_to_the_same_bytes(tmp_path):
    for name in ("a.pth", "b.pth"):
        checkpoint(tmp_path / name, 1)
        reduce_checkpoint(tmp_path / name)
    assert content(tmp_path / "a.pth") == content(tmp_path / "b.pth")


def test_training_does_not_go_on_from_weights_alone(tmp_path):
    hook = KeepCheckpoints(tmp_path, tmp_path / "metrics.jsonl", False, None, lambda row: None)
    hook.after_load_checkpoint(None, {"meta": {"history": []}})
    hook.before_train(SimpleNamespace(epoch=2, max_epochs=2))
    with pytest.raises(IntegrityError, match="weights of a finished training"):
        hook.before_train(SimpleNamespace(epoch=1, max_epochs=2))


def run_one(root, place):
    request = Request("dfew-5fold", (Variant("tsm"),), preset="small", folds=(1,), settings=("epochs=2",), limit=16)
    group, machine = planned(request, root, place)
    [unit] = group.units
    return run_unit(unit, group.data.folds[1], machine, Remembering()), machine.runs / unit.folder


@pytest.fixture(scope="module")
def undisturbed(synthetic_root, tmp_path_factory):
    return run_one(synthetic_root, tmp_path_factory.mktemp("undisturbed"))


def test_the_selected_checkpoint_is_reduced_before_its_hash_is_written_down(undisturbed):
    state, folder = undisturbed
    selected = folder / "checkpoints" / BEST
    assert state.selected.sha256 == content(selected)
    assert "optimizer" not in inside(selected) and read_weight_file(selected).origin.history


class Killed(BaseException):
    pass


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_unit_killed_around_the_reduction_ends_as_one_that_was_not(
    undisturbed, synthetic_root, tmp_path, monkeypatch, moment
):
    def killed(checkpoints):
        if moment == "after":
            reduce_checkpoints(checkpoints)
        raise Killed

    with monkeypatch.context() as interrupted, pytest.raises(Killed):
        interrupted.setattr("benchmark.training.unit.reduce_checkpoints", killed)
        run_one(synthetic_root, tmp_path)
    state, folder = run_one(synthetic_root, tmp_path)
    assert state.predictions == undisturbed[0].predictions
    assert state.selected.epoch == undisturbed[0].selected.epoch
    assert state.selected.sha256 == content(folder / "checkpoints" / BEST)
    assert "optimizer" not in inside(folder / "checkpoints" / BEST)
