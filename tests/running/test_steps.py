"""Units end to end, on real files, with the smallest training that is one."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from types import SimpleNamespace

import pytest

from benchmark.datasets.splits import SPLITS, Fold
from benchmark.errors import IntegrityError
from benchmark.files import hash_file
from benchmark.locks import Busy, exclusive
from benchmark.planning.request import Request, Variant, find_protocol, parse_augmentation
from benchmark.running.machine import Machine
from benchmark.running.record import make_record
from benchmark.running.run import run_units
from benchmark.running.steps import job_of, run_unit
from benchmark.specs import Clip
from benchmark.training.weights import Origin, read_weight_file
from benchmark.units.clip_names import read_names
from benchmark.units.state import Selected, UnitState, save_state, unfinished
from benchmark.units.unit import Unit
from tests.small_runs import Remembering, planned


@pytest.fixture
def setting(synthetic_root, tmp_path):
    """Data, machine and a maker of units for training of two epochs."""

    def make(root=synthetic_root, **changes):
        request = Request(
            **{
                "protocol": "dfew-5fold",
                "variants": (Variant("tsm"),),
                "preset": "small",
                "folds": (1,),
                "settings": ("epochs=2",),
                **changes,
            }
        )
        group, machine = planned(request, root, tmp_path)
        return list(group.units), group.data, machine

    return make


def test_a_unit_runs_to_its_scores_and_a_second_time_does_nothing(setting):
    units, data, machine = setting()
    watcher = Remembering()
    assert unfinished(units, machine.runs) == units
    run_units(units, data, machine, watcher)
    folder = machine.runs / units[0].folder
    assert watcher.epochs == [1, 2]
    assert json.loads((folder / "state.json").read_text())["status"] == "scored"
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 2
    assert unfinished(units, machine.runs) == []
    state = run_unit(units[0], data.folds[1], machine, watcher)
    assert watcher.epochs == [1, 2]
    assert state.test_looks == 1


def test_no_test_label_is_written_where_training_reads(setting):
    units, data, machine = setting()
    run_units(units, data, machine, Remembering())
    folder = machine.runs / units[0].folder
    rows = {
        name: json.loads((folder / "splits" / f"{name}.json").read_text())["data_list"]
        for name in ("train", "watched", "test")
    }
    assert {key for row in rows["test"] for key in row} == {"clip_id"}
    assert len(rows["test"]) == len(data.folds[1].test)
    test_ids = {row["clip_id"] for row in rows["test"]}
    assert not test_ids & {row["clip_id"] for name in ("train", "watched") for row in rows[name]}


def test_the_config_that_was_run_can_be_read_again(setting):
    from mmengine.config import Config

    units, data, machine = setting(settings=("epochs=1", "optim_wrapper.optimizer.lr=0.004"))
    run_units(units, data, machine, Remembering())
    config = Config.fromfile(machine.runs / units[0].folder / "config.py", import_custom_modules=False)
    assert config.optim_wrapper.optimizer.lr == 0.004
    assert config.train_cfg.max_epochs == 1


def test_soft_labels_and_midas_train(setting):
    units, data, machine = setting(variants=(Variant("tsm", (parse_augmentation("midas"),), "soft"),))
    outcome = run_units(units, data, machine, Remembering())
    assert outcome.failed == []
    rows = json.loads((machine.runs / units[0].folder / "splits/train.json").read_text())["data_list"]
    assert all(sum(row["target"]) == pytest.approx(1) for row in rows)
    assert any(0 < max(row["target"]) < 1 for row in rows)


def test_an_unreadable_clip_fails_its_units_by_name_and_no_other(setting, synthetic_root, tmp_path):
    root = shutil.copytree(synthetic_root, tmp_path / "DFEW")
    units, data, machine = setting(root, folds=(1, 2))
    victim = next(c for c in data.folds[1].val if c.id not in {x.id for x in data.folds[2].val + data.folds[2].test})
    in_second = victim.id in {clip.id for name in SPLITS for clip in data.folds[2].split(name)}
    frame = sorted((root / victim.frames["clip_224x224"]).iterdir())[1]
    frame.write_bytes(frame.read_bytes()[:100])
    watcher = Remembering()
    outcome = run_units(units[:1], data, machine, watcher)
    assert in_second
    assert len(outcome.failed) == 1
    assert f"clip {victim.id}" in watcher.failures[0]
    assert f"{frame.name}: truncated JPEG" in watcher.failures[0]
    state = json.loads((machine.runs / units[0].folder / "state.json").read_text())
    assert state["status"] == "failed"
    assert victim.id in state["error"]


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_clip_is_one_line_whoever_reads_it(setting, synthetic_root, tmp_path, workers):
    """torch turns a worker's error into a traceback that ends with the message."""
    root = shutil.copytree(synthetic_root, tmp_path / "DFEW")
    units, data, machine = setting(root)
    victim = data.folds[1].train[3]
    frame = sorted((root / victim.frames["clip_224x224"]).iterdir())[0]
    frame.write_bytes(b"")
    outcome = run_units(units, data, dataclasses.replace(machine, workers=workers), Remembering())
    ((_, reason),) = outcome.failed
    assert reason == f"clip {victim.id}: {frame}: truncated JPEG (0 bytes, no end marker)"


def test_a_unit_that_another_process_has_just_finished_is_not_scored_again(setting, monkeypatch):
    from benchmark.running import steps

    units, data, machine = setting()
    run_units(units, data, machine, Remembering())
    answers = iter([False])
    real = steps.is_done
    monkeypatch.setattr(steps, "is_done", lambda *found: next(answers, None) is None and real(*found))
    assert run_unit(units[0], data.folds[1], machine, Remembering()).test_looks == 1


def test_a_failing_unit_does_not_stop_the_others(setting):
    units, data, machine = setting(folds=(1, 2))
    broken = units[0].model_copy(update={"overrides": {"epochs": 1, "optim_wrapper.optimizer.lr": 1e30}})
    watcher = Remembering()
    outcome = run_units([broken, units[1]], data, machine, watcher)
    assert [unit.fold for unit, _ in outcome.failed] == [1]
    assert "loss became" in watcher.failures[0]
    assert [unit.fold for unit in outcome.done] == [2]


def test_unreadable_training_clips_are_left_out_only_under_that_policy(setting, synthetic_root, tmp_path):
    root = shutil.copytree(synthetic_root, tmp_path / "DFEW")
    units, data, machine = setting(
        root, settings=("epochs=1", "protocol.frames.unreadable=drop-train"), unofficial=True
    )
    victim = data.folds[1].train[0]
    shutil.rmtree(root / victim.frames["clip_224x224"])
    state = run_unit(units[0], data.folds[1], machine, Remembering())
    assert state.dropped == [victim.id]
    assert state.status == "scored"


def test_frames_come_from_video_files_when_the_protocol_says_so(setting):
    units, data, machine = setting(settings=("epochs=1", "protocol.frames.source=original"), unofficial=True)
    outcome = run_units(units, data, machine, Remembering())
    assert outcome.failed == []
    names = read_names(machine.runs / units[0].folder / "splits")
    rows = json.loads((machine.runs / units[0].folder / "splits/test.json").read_text())["data_list"]
    assert all(names.path_of(row["clip_id"]).endswith(".mp4") for row in rows)


def test_another_units_work_is_never_overwritten(setting):
    units, data, machine = setting()
    run_units(units, data, machine, Remembering())
    other = units[0].model_copy(update={"data": "0" * 64})
    before = (machine.runs / units[0].folder / "state.json").read_bytes()
    with pytest.raises(IntegrityError, match="differs in: data"):
        unfinished([other], machine.runs)
    assert (machine.runs / units[0].folder / "state.json").read_bytes() == before


def test_changed_predictions_are_noticed(setting):
    units, data, machine = setting()
    run_units(units, data, machine, Remembering())
    (machine.runs / units[0].folder / "predictions.test.csv.gz").write_bytes(b"")
    with pytest.raises(IntegrityError, match=r"predictions\.test\.csv\.gz: is missing or not what was scored"):
        unfinished(units, machine.runs)


def test_a_checkpoint_that_is_not_the_selected_one_predicts_nothing(setting):
    """As after somebody trained on in the folder between selection and prediction."""
    units, data, machine = setting()
    folder = machine.runs / units[0].folder
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints/best.pth").write_bytes(b"other weights")
    selected = Selected(epoch=1, epochs=2, value=0.5, sha256=hashlib.sha256(b"the weights").hexdigest())
    save_state(folder, UnitState(identity=units[0].identity, unit=units[0], status="selected", selected=selected))
    with pytest.raises(IntegrityError, match=r"best\.pth: is missing or not the one selected; delete .* to run"):
        run_unit(units[0], data.folds[1], machine, Remembering())
    assert not list(folder.glob("predictions.*"))


def test_a_cross_dataset_unit_tests_the_model_that_it_was_planned_with_and_no_other(tmp_path):
    def clip(name: str, source: str) -> Clip:
        return Clip(name, "happy", {source: name}, {})

    protocol = find_protocol("dfew-to-mafw")
    own, other = protocol.frame_source("train"), protocol.frame_source("test")
    fold = Fold(1, train=(clip("a", own),), val=(clip("b", own),), test=(clip("c", other),))
    unit = Unit(
        protocol=protocol,
        method="tsm",
        method_version="1",
        preset="small",
        labels="hard",
        seed=0,
        fold=1,
        data="0",
        synthetic=True,
        source="1" * 64,
    )
    trained = unit.model_copy(update={"protocol": protocol.train_on, "source": None})
    folder = tmp_path / unit.source_folder
    (folder / "predictions.val.csv.gz").parent.mkdir(parents=True)
    (folder / "predictions.val.csv.gz").write_bytes(b"predictions")
    save_state(
        folder,
        UnitState(
            identity="2" * 64,
            unit=trained,
            status="scored",
            selected=Selected(epoch=1, epochs=1, value=0.5, sha256="3" * 64),
            predictions={"val": hashlib.sha256(b"predictions").hexdigest()},
        ),
    )
    with pytest.raises(IntegrityError, match="is not the unit whose checkpoint is to be tested; run it again"):
        run_unit(unit, fold, Machine(tmp_path, tmp_path, tmp_path, tmp_path, device="cpu"), Remembering())


def test_a_unit_that_another_process_runs_is_left_alone(setting, monkeypatch):
    seconds = iter(range(10**6))
    clock = SimpleNamespace(monotonic=lambda: next(seconds), sleep=lambda _: None, time=lambda: 0.0)
    monkeypatch.setattr("benchmark.units.state.time", clock)
    units, data, machine = setting()
    with exclusive(machine.runs / units[0].folder), pytest.raises(Busy, match="is at work there"):
        run_unit(units[0], data.folds[1], machine, Remembering())


def test_a_full_disk_ends_the_run_with_advice(setting, monkeypatch):
    import errno

    from benchmark.errors import EnvironmentProblem
    from benchmark.training.hooks import KeepCheckpoints

    def full(self, runner, epoch):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(KeepCheckpoints, "_save", full)
    units, data, machine = setting()
    with pytest.raises(EnvironmentProblem, match="no space left .* run the same command again"):
        run_units(units, data, machine, Remembering())


@pytest.fixture(scope="module")
def trained(synthetic_root, tmp_path_factory):
    """A checkpoint of our own, as a run leaves it."""
    request = Request("dfew-5fold", (Variant("tsm"),), preset="small", folds=(1,), settings=("epochs=1",))
    group, machine = planned(request, synthetic_root, tmp_path_factory.mktemp("trained"))
    (unit,) = group.units
    run_unit(unit, group.data.folds[1], machine, Remembering())
    return unit, machine.runs / unit.folder / "checkpoints/best.pth"


def test_a_checkpoint_says_what_it_is(trained):
    unit, checkpoint = trained
    file = read_weight_file(checkpoint)
    expected = Origin("tsm", "model", "small", unit.protocol.classes, dataset="dfew", history=file.history)
    assert file.origin == expected and file.history[0].protocol_hash == unit.protocol.hash
    assert file.wrapper == ("state_dict",)
    assert set(file.others) == {"meta"}  # a finished unit needs no optimiser


def test_initial_weights_are_loaded_and_part_of_the_identity(setting, trained):
    unit, checkpoint = trained
    tuned, data, machine = setting(init={"model": checkpoint}, settings=("epochs=1",))
    assert tuned[0].init == {"model": hash_file(checkpoint)}
    assert tuned[0].identity != unit.identity
    assert tuned[0].folder != unit.folder
    outcome = run_units(tuned, data, machine, Remembering())
    assert outcome.failed == []
    log = (machine.runs / tuned[0].folder / "log.txt").read_text()
    assert f"initial weights model={checkpoint}: LoadReport(missing=(), unexpected=(), reinitialised=()" in log
    record = make_record(machine.runs / tuned[0].record_folder, data)
    assert record.init == {"model": hash_file(checkpoint)}


def test_units_without_initial_weights_keep_their_identity(trained):
    unit, _ = trained
    assert "init" not in unit.model_dump(mode="json", exclude_none=True)


def test_a_file_that_changed_since_the_plan_is_refused(setting, trained, tmp_path):
    checkpoint = shutil.copyfile(trained[1], tmp_path / "w.pth")
    tuned, data, machine = setting(init={"model": checkpoint}, settings=("epochs=1",))
    with open(checkpoint, "ab") as file:
        file.write(b"more")
    watcher = Remembering()
    assert run_units(tuned, data, machine, watcher).failed
    assert "is not the file with which this unit was planned" in watcher.failures[0]


def test_what_will_not_fit_is_known_before_anything_is_trained(setting, trained):
    from benchmark.training.unit import try_initial

    tuned, _, machine = setting(init={"model": trained[1]}, settings=("epochs=1",))
    folder = machine.runs / tuned[0].folder
    reports = try_initial(job_of(tuned[0], machine, folder))
    assert reports["model"][0].missing == ()
    other = tuned[0].model_copy(update={"method": "former-dfer"})
    with pytest.raises(IntegrityError, match="another model"):
        try_initial(job_of(other, machine, folder))
    assert not folder.exists()
