"""What a worker does with units that other workers hold, have finished or have failed with."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from benchmark.errors import UnitFailed
from benchmark.locks import LEASE, Busy, Lost, exclusive
from benchmark.planning.request import Request, Variant, plan_run, resolve_protocol
from benchmark.running import groups, run
from benchmark.running.groups import check_group, run_group, write_records
from benchmark.running.machine import Resources
from benchmark.running.run import Outcome, run_units
from benchmark.running.steps import run_unit
from benchmark.units.computing import Computing
from benchmark.units.state import UnitState, read_state, save_state
from tests.small_runs import Remembering, planned


class Noting(Remembering):
    def __init__(self):
        super().__init__()
        self.notes = []
        self.elsewhere = []

    def note(self, message):
        self.notes.append(message)

    def finished_elsewhere(self, unit):
        self.elsewhere.append(unit)


@pytest.fixture
def worker(monkeypatch, tmp_path):
    """Runs made-up units whose answers are given: what `run_unit` raises, time after time, until it is through."""
    calls = []

    def start(answers, **options):
        def made_up(unit, *_, **__):
            calls.append(unit.number)
            answer = answers[unit.number].pop(0) if answers[unit.number] else None
            if answer is not None:
                raise answer

        monkeypatch.setattr(run, "run_unit", made_up)
        monkeypatch.setattr(run.time, "sleep", lambda seconds: calls.append("pause"))
        units: Any = [SimpleNamespace(number=n, fold=0, folder=Path(str(n))) for n in range(len(answers))]
        watcher = Noting()
        data: Any = SimpleNamespace(folds=[None])
        machine: Any = SimpleNamespace(runs=tmp_path, computing=Computing())
        outcome = run_units(units, data, machine, watcher, **options)
        done, left = ([cast(Any, unit).number for unit in part] for part in (outcome.done, outcome.left))
        return done, left, calls, watcher

    return start


def test_a_unit_that_another_worker_holds_is_looked_at_again_when_the_others_are_done(worker):
    done, left, calls, _ = worker([[Busy("held", True)], [], []])
    assert sorted(done) == [0, 1, 2]
    assert done[-1] == calls[-1] == 0
    assert left == []
    assert "pause" not in calls  # it may have become free while the others were run


def test_a_run_waits_for_units_that_others_hold_and_says_for_whom(worker):
    done, left, calls, watcher = worker([[Busy("unit 0: busy: process 1 on a", True)] * 3])
    assert (done, left) == ([0], [])
    assert calls == [0, "pause", 0, "pause", 0, "pause", 0]
    assert watcher.notes == ["waiting for unit 0: busy: process 1 on a"]


def test_a_worker_leaves_units_to_others_that_are_known_to_live(worker):
    done, left, calls, _ = worker([[Busy("held", True)] * 9, []], wait=False)
    assert (done, left) == ([1], [0])
    assert calls.count(0) == 2


def test_a_worker_does_not_leave_before_it_knows_whether_the_others_live(worker):
    maybe = Busy("held", False)
    assert worker([[maybe, maybe, maybe]], wait=False)[:2] == ([0], [])


def test_a_unit_that_was_lost_to_another_worker_has_not_failed(worker):
    done, left, _, watcher = worker([[Lost("lost", True)] * 2], wait=False)
    assert (done, left, watcher.failures) == ([], [0], [])


@pytest.fixture
def setting(synthetic_root, tmp_path):
    """A unit that could be run, and what it takes to run it."""
    request = Request("dfew-5fold", (Variant("tsm"),), preset="small", folds=(1,), settings=("epochs=2",))
    group, machine = planned(request, synthetic_root, tmp_path)
    (unit,) = group.units
    return unit, group, machine


def test_what_another_worker_has_failed_with_since_is_not_tried_again(setting):
    unit, group, machine = setting
    folder = machine.runs / unit.folder
    state = UnitState(identity=unit.identity, unit=unit, status="failed", error="no memory", attempts=2)
    save_state(folder, state)
    with pytest.raises(UnitFailed, match="no memory"):
        run_unit(unit, group.data.folds[1], machine, Noting(), attempts=1)
    assert read_state(folder) == state


def test_a_unit_whose_lease_is_lost_leaves_no_mark(setting, monkeypatch):
    unit, group, machine = setting
    folder = machine.runs / unit.folder

    def lose(*_):
        for lease in folder.glob(f"{LEASE}*"):
            lease.unlink()
        save_state(folder, UnitState(identity=unit.identity, unit=unit, status="failed"))

    monkeypatch.setattr("benchmark.running.steps._train", lose)
    with pytest.raises(Lost):
        run_unit(unit, group.data.folds[1], machine, Noting())
    assert read_state(folder) is None
    assert not (folder / "log.txt").exists()


def test_units_that_test_a_checkpoint_which_others_still_train_are_left_to_them(synthetic_root, tmp_path, monkeypatch):
    request = Request("dfew-5fold", (Variant("v-naw"),), preset="small", folds=(1, 2), views="official")
    trained, tested = plan_run(request, resolve_protocol(request), synthetic_root)
    seen = []
    monkeypatch.setattr(groups, "run_units", lambda units, *_: seen.append(units) or Outcome())
    cpu = Resources(device="cpu")
    left = run_group(tested, tested.units, tmp_path, cpu, Noting(), wait=False, left=trained.units[:1])
    assert left == [tested.units[0]]
    assert seen == [[tested.units[1]]]


def test_a_row_with_units_in_the_hands_of_others_has_no_record_yet(setting, tmp_path):
    unit, group, machine = setting
    state = UnitState(identity=unit.identity, unit=unit, status="failed", error="no memory")
    save_state(machine.runs / unit.folder, state)
    other = unit.model_copy(update={"fold": 2})
    assert write_records(group.units, group.data, machine.runs, Noting(), left=[other]) == []
    (record,) = write_records(group.units, group.data, machine.runs, Noting())
    assert [failed.error for failed in record.failed] == ["no memory"]


def test_older_work_that_another_process_is_still_at_is_not_set_aside(setting):
    unit, group, machine = setting
    older = unit.model_copy(update={"overrides": {"epochs": 3}, "recipe": None})
    save_state(machine.runs / unit.folder, UnitState(identity=older.identity, unit=older))
    again = Resources(device="cpu", changed="again")
    with exclusive(machine.runs / unit.folder), pytest.raises(Busy):
        check_group(group, machine.runs, again, Noting())
    assert check_group(group, machine.runs, again, Noting()) == [unit]
    assert not (machine.runs / unit.folder).exists()
    (aside,) = machine.runs.rglob("state.json")
    assert [path.name for path in aside.parent.iterdir()] == ["state.json"]
