"""Trackers: what they are told, that they are whole after a resumption, and that they cost a run nothing."""

from __future__ import annotations

import json
import random
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import benchmark
from benchmark import Request, Resources, Variant, Watcher
from benchmark.cli.main import main
from benchmark.errors import EnvironmentProblem, UsageError
from benchmark.planning.request import Request as PlannedRequest
from benchmark.registry import registry
from benchmark.scoring.scores import Estimate, SplitScores
from benchmark.specs import TrackerSpec
from benchmark.trackers.curves import Curve, Curves, Tracked, tracked_unit
from benchmark.trackers.together import Together
from benchmark.units.pretraining import PretrainingUnit
from benchmark.units.unit import Unit
from tests.small_runs import Remembering, planned

QUICK: dict[str, Any] = {"preset": "small", "folds": (1,), "settings": ("epochs=2",)}
SCORES = SplitScores.model_construct(metrics={"uar": Estimate(value=0.5, low=0.4, high=0.6)})


def row(epoch: int, val: bool = True) -> dict[str, Any]:
    return {"epoch": epoch, "loss": 2.0 / epoch, "seconds": 0.5, "val": {"uar": epoch / 10} if val else {}}


class Notebook(Curves):
    """A tracker that writes down what it is given."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.drawn: list[tuple[Tracked, Sheet]] = []

    def begin(self, tracked: Tracked) -> Curve:
        self.drawn.append((tracked, Sheet()))
        return self.drawn[-1][1]


class Sheet(Curve):
    def __init__(self) -> None:
        self.points: list[tuple[int, dict[str, float]]] = []
        self.ending: tuple[dict[str, float], bool] | None = None

    def log(self, epoch, values):
        self.points.append((epoch, dict(values)))

    def end(self, result, failed):
        self.ending = (dict(result), failed)


class Disturbing(Watcher):
    """A tracker that uses up randomness, and fails at the end."""

    def __init__(self, folder: Path) -> None:
        self.epochs = 0

    def epoch(self, unit, row):
        self.epochs += 1
        random.random(), np.random.random(), torch.rand(3)

    def scored(self, unit, scores):
        raise ConnectionError("nobody is there")


@pytest.fixture
def unit(synthetic_root, tmp_path) -> Unit:
    group, _ = planned(PlannedRequest("dfew-5fold", (Variant("tsm"),), **QUICK), synthetic_root, tmp_path)
    return group.units[0]


@pytest.fixture
def pretraining() -> PretrainingUnit:
    return PretrainingUnit(
        method="m",
        method_version="1",
        pretraining="p",
        preset="small",
        seed=0,
        data="0",
        source="videos",
        classes=(),
        synthetic=True,
    )


def metrics(folder: Path, *rows: dict[str, Any]) -> None:
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")


@pytest.fixture
def offered(monkeypatch):
    """Makes a watcher a tracker that is installed."""

    def offer(name: str) -> str:
        monkeypatch.setitem(registry().trackers, name, TrackerSpec(name, "T", f"tests.trackers.test_trackers:{name}"))
        return name

    return offer


# What is shown.


def test_a_unit_shows_its_loss_its_watched_scores_and_its_result(unit, tmp_path):
    book = Notebook(tmp_path)
    book.started(unit, 0)
    book.epoch(unit, row(1))
    book.epoch(unit, row(2))
    book.scored(unit, SCORES)
    ((tracked, sheet),) = book.drawn
    assert tracked == tracked_unit(unit)
    assert sheet.points == [
        (1, {"train/loss": 2.0, "train/seconds": 0.5, "val/uar": 0.1}),
        (2, {"train/loss": 1.0, "train/seconds": 0.5, "val/uar": 0.2}),
    ]
    assert sheet.ending == ({"test/uar": 0.5, "test/uar_low": 0.4, "test/uar_high": 0.6}, False)


def test_what_determined_the_result_is_shown_as_plain_values(unit):
    config = tracked_unit(unit).config
    assert json.loads(json.dumps(config)) == config
    assert config["identity"] == unit.identity
    assert config["recipe"] == unit.recipe and config["overrides"] == {"epochs": 2}
    assert config["protocol"] == {"name": "dfew-5fold", "version": 1, "hash": unit.protocol.hash}
    assert config["synthetic"] is True


def test_a_resumed_unit_shows_what_came_before_once(unit, tmp_path):
    metrics(tmp_path / unit.folder, row(1), row(2), row(3))
    book = Notebook(tmp_path)
    book.started(unit, 2)  # the third epoch was written down, but its state was not
    book.epoch(unit, row(3))
    assert [epoch for epoch, _ in book.drawn[0][1].points] == [1, 2, 3]


def test_test_scores_that_a_unit_selects_on_are_not_called_its_result(synthetic_root, tmp_path):
    request = PlannedRequest("legacy-dfew-5fold", (Variant("tsm"),), **QUICK)
    (unit,) = planned(request, synthetic_root, tmp_path)[0].units
    book = Notebook(tmp_path)
    book.started(unit, 0)
    book.epoch(unit, row(1))
    assert "watched_test/uar" in book.drawn[0][1].points[0][1]


def test_a_unit_that_fails_or_is_interrupted_ends_its_curves_so(unit, tmp_path):
    book = Notebook(tmp_path)
    book.started(unit, 0)
    book.failed(unit, "out of memory")
    book.started(unit, 0)
    book.ended()
    book.ended()
    assert [sheet.ending for _, sheet in book.drawn] == [({}, True), ({}, True)]


def test_an_epoch_that_is_told_after_the_failure_of_its_unit_disturbs_nothing(unit, tmp_path):
    book = Notebook(tmp_path)
    book.started(unit, 0)
    book.failed(unit, "out of memory")
    book.epoch(unit, row(1))
    assert book.drawn[0][1].points == []


def test_a_pre_training_shows_its_loss_and_ends_with_its_last_epoch(pretraining, tmp_path):
    metrics(tmp_path / pretraining.folder, row(1, val=False), row(2, val=False))
    book = Notebook(tmp_path)
    book.pretraining_epoch(pretraining, row(2, val=False), 3)  # resumed
    book.pretraining_epoch(pretraining, row(3, val=False), 3)
    ((tracked, sheet),) = book.drawn
    assert tracked.folder == pretraining.folder
    assert [(epoch, set(values)) for epoch, values in sheet.points] == [
        (epoch, {"train/loss", "train/seconds"}) for epoch in (1, 2, 3)
    ]
    assert sheet.ending == ({}, False)


# Trackers cost nothing.


class Noting(Remembering):
    def __init__(self):
        super().__init__()
        self.notes = []

    def note(self, message):
        self.notes.append(message)


@pytest.mark.parametrize(
    "error", [ValueError("bad\nvalue"), SystemExit(3), OSError(28, "No space", "x"), MemoryError()]
)
def test_a_tracker_that_fails_is_reported_once_and_the_others_go_on(unit, tmp_path, error):
    class Failing(Watcher):
        def epoch(self, unit, row):
            raise error

    watcher, book = Noting(), Notebook(tmp_path)
    together = Together(watcher, {"failing": Failing(), "book": book})
    together.started(unit, 0)
    together.epoch(unit, row(1))
    together.epoch(unit, row(2))
    assert watcher.epochs == [1, 2]
    assert len(book.drawn[0][1].points) == 2
    (note,) = watcher.notes
    assert note.startswith("warning: ") and "the run goes on" in note and "\n" not in note


def test_everything_that_a_watcher_can_be_told_reaches_the_trackers():
    own = {name for name, value in vars(Watcher).items() if callable(value)}
    assert own - {"counting"} <= {name for name in vars(Together)}


def test_a_run_that_is_tracked_is_the_same_run(synthetic_root, tmp_path, offered):
    seen = {}
    for name, trackers in (("alone", []), ("tracked", [offered("Disturbing")])):
        watcher = Noting()
        records = benchmark.run(
            Request("dfew-5fold", (Variant("tsm"),), **QUICK),
            data_root=synthetic_root,
            runs=tmp_path / name,
            resources=Resources(device="cpu", jobs=1),
            watcher=benchmark.track(trackers, tmp_path / name, watcher),
        )
        seen[name] = [unit.predictions for unit in records[0].units]
        warned = [note for note in watcher.notes if "nobody is there" in note]
        assert len(warned) == len(trackers)
    assert seen["tracked"] == seen["alone"] and len(seen["alone"]) == 1


@pytest.mark.slow
def test_units_side_by_side_are_tracked_in_one_process(synthetic_root, tmp_path):
    book = Notebook(tmp_path)
    request = Request("dfew-5fold", (Variant("tsm"),), **{**QUICK, "folds": (1, 2)})
    watcher = Together(Watcher(), {"book": book})
    benchmark.run(
        request, data_root=synthetic_root, runs=tmp_path, resources=Resources(device="cpu", jobs=2), watcher=watcher
    )
    assert {tracked.config["fold"] for tracked, _ in book.drawn} == {1, 2}
    for _, sheet in book.drawn:
        assert [epoch for epoch, _ in sheet.points] == [1, 2]
        assert sheet.ending and "test/uar" in sheet.ending[0] and not sheet.ending[1]


# Choosing them.


def test_an_unknown_tracker_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'tensorboard'"):
        benchmark.track(["tensorbord"], "runs")


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_tracker_whose_package_is_missing_says_what_to_install(monkeypatch, name):
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(EnvironmentProblem, match=rf"pip install 'dfer-benchmark\[{name}\]'"):
        benchmark.track([name], "runs")


@pytest.mark.parametrize(
    "command",
    [
        ("run", "--protocol", "dfew-5fold", "--method", "tsm"),
        ("sweep", "--protocol", "dfew-5fold", "--method", "tsm"),
        ("pretrain", "--method", "videomae"),
    ],
)
def test_every_command_that_trains_takes_a_tracker(command, tmp_path, capsys):
    assert main([*command, "--track", "nobody", "-o", str(tmp_path)]) == 2
    assert "unknown tracker 'nobody'" in capsys.readouterr().err


def test_trackers_are_listed(capsys):
    assert main(["list", "trackers"]) == 0
    assert "TensorBoard event files" in capsys.readouterr().out


# The ones that come with the benchmark, where their packages are installed.


@pytest.fixture
def events():
    """Reads the curves of a folder of event files."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import TENSORS, EventAccumulator

    def read(folder: Path) -> tuple[dict[str, list[tuple[int, float]]], str]:
        found = EventAccumulator(str(folder), size_guidance={TENSORS: 0}).Reload()
        curves = {tag: [(e.step, round(e.value, 6)) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}
        config = found.Tensors("config")[-1]
        return curves, config.tensor_proto.string_val[0].decode()

    return read


def test_tensorboard_reads_whole_curves_of_a_unit_that_was_resumed(unit, tmp_path, events):
    from benchmark.trackers.tensorboard import watcher

    first, second = watcher(tmp_path), watcher(tmp_path)
    first.started(unit, 0)
    first.epoch(unit, row(1))
    first.epoch(unit, row(2))  # and killed
    metrics(tmp_path / unit.folder, row(1), row(2))
    second.started(unit, 1)
    second.epoch(unit, {**row(2), "loss": 0.25})
    second.scored(unit, SCORES)
    curves, config = events(tmp_path / "tensorboard" / unit.folder)
    assert curves["train/loss"] == [(1, 2.0), (2, 0.25)]
    assert curves["val/uar"] == [(1, 0.1), (2, 0.2)]
    assert curves["test/uar"] == [(2, 0.5)]
    assert unit.identity in config and '"synthetic": true' in config


@pytest.mark.slow
def test_weights_and_biases_keeps_two_units_at_a_time_offline_and_continues_one_under_its_id(
    unit, tmp_path, monkeypatch
):
    pytest.importorskip("wandb")
    from benchmark.trackers.wandb import watcher

    monkeypatch.setenv("WANDB_MODE", "offline")
    other = unit.model_copy(update={"fold": 2})
    tracker = watcher(tmp_path)
    for each in (unit, other):
        tracker.started(each, 0)
        tracker.epoch(each, row(1))
    tracker.scored(unit, SCORES)
    tracker.ended()
    metrics(tmp_path / other.folder, row(1))
    tracker.started(other, 1)
    tracker.epoch(other, row(2))
    tracker.scored(other, SCORES)
    written = sorted(place.name.rpartition("-")[2] for place in (tmp_path / "wandb").glob("offline-run-*"))
    assert written == sorted([unit.identity[:32], other.identity[:32], other.identity[:32]])
    records = read_offline(next(iter((tmp_path / "wandb").glob(f"offline-run-*{unit.identity[:32]}"))))
    assert records["history"] == [{"train/loss": 2.0, "train/seconds": 0.5, "val/uar": 0.1}]
    assert records["summary"]["test/uar"] == 0.5
    assert records["config"]["identity"] == unit.identity
    continued = max((tmp_path / "wandb").glob(f"offline-run-*{other.identity[:32]}"))
    assert [values["train/loss"] for values in read_offline(continued)["history"]] == [2.0, 1.0]


def read_offline(folder: Path) -> dict[str, Any]:
    """What W&B would upload of a run."""
    from wandb.proto import wandb_internal_pb2

    history, summary, config = [], {}, {}
    for data in blocks(next(folder.glob("*.wandb")).read_bytes()):
        record = wandb_internal_pb2.Record.FromString(data)
        if record.HasField("history"):
            items = {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in record.history.item}
            history.append({key: value for key, value in items.items() if not key.startswith("_")})
        for item in record.summary.update:
            summary["/".join(item.nested_key) or item.key] = json.loads(item.value_json)
        for item in record.run.config.update:
            config[item.key] = json.loads(item.value_json)
    return {"history": history, "summary": summary, "config": config}


def blocks(log: bytes) -> Iterator[bytes]:
    """The entries of a LevelDB log, which is the form of a `.wandb` file behind its first seven bytes."""
    at, entry = 7, b""
    while at + 7 <= len(log):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        _, size, kind = struct.unpack("<IHB", log[at : at + 7])
        entry += log[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # a whole entry, or the last part of one
            yield entry
            entry = b""
