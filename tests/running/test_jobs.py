"""Several units at a time, in processes of their own."""

from __future__ import annotations

import dataclasses

import pytest

from benchmark.planning.request import Request, Variant, parse_augmentation
from benchmark.running.run import run_units
from tests.small_runs import Remembering, planned


@pytest.fixture
def setting(synthetic_root, tmp_path):
    row = Variant("videomae", (parse_augmentation("midas"),), "soft")
    request = Request("dfew-5fold", (row,), preset="small", folds=(1, 2, 3), settings=("epochs=2",), limit=16)
    group, machine = planned(request, synthetic_root, tmp_path)
    return list(group.units), group.data, machine


def test_jobs_and_workers_do_not_change_a_result(setting, tmp_path):
    units, data, machine = setting
    watcher = Remembering()
    assert run_units(units, data, dataclasses.replace(machine, workers=1), watcher, jobs=2).failed == []
    alone = dataclasses.replace(machine, runs=tmp_path / "alone")
    assert run_units(units, data, alone, watcher).failed == []
    for unit in units:
        name = unit.folder / "predictions.test.csv.gz"
        assert (machine.runs / name).read_bytes() == (alone.runs / name).read_bytes()
    # Every epoch of both runs was reported here, though half of them happened in other processes.
    assert len(watcher.epochs) == 2 * 2 * len(units)


def test_a_unit_that_fails_in_a_worker_does_not_stop_the_others(setting):
    units, data, machine = setting
    broken = units[0].model_copy(update={"overrides": {"epochs": 1, "optim_wrapper.optimizer.lr": 1e30}})
    outcome = run_units([broken, *units[1:]], data, machine, Remembering(), jobs=2)
    assert [unit.fold for unit, _ in outcome.failed] == [1]
    assert "loss became" in outcome.failed[0][1]
    assert sorted(unit.fold for unit in outcome.done) == [2, 3]
