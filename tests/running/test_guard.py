"""Labels cannot be read by what is trained: neither from names, nor from the dataset's lists, nor without a trace."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import json
import os
import shutil
import subprocess
import sys
from typing import Any

import pytest

from benchmark.errors import IntegrityError
from benchmark.planning.data import list_files
from benchmark.planning.request import Request, Variant
from benchmark.running.steps import run_unit
from benchmark.units.clip_names import Names, hide
from benchmark.units.guard import TRACE, closed
from benchmark.watcher import Watcher
from tests.small_runs import planned

ROWS: dict[str, list[dict[str, Any]]] = {
    "train": [{"clip_id": "Daily/Happy/0001", "path": "2/Happy/0001", "label": 0}],
    "test": [
        {"clip_id": "Daily/Sad/0002", "path": "2/Sad/0002"},
        {"clip_id": "Daily/Happy/0001", "path": "2/Happy/0001"},
    ],
}


def test_rows_hold_no_id_and_no_path_and_names_lead_back():
    hidden, names = hide(ROWS)
    text = json.dumps(hidden)
    assert "Happy" not in text and "Sad" not in text
    assert [names.id_of(row["clip_id"]) for row in hidden["test"]] == ["Daily/Sad/0002", "Daily/Happy/0001"]
    assert names.path_of(hidden["train"][0]["clip_id"]) == "2/Happy/0001"
    assert hidden["train"][0]["clip_id"] == hidden["test"][1]["clip_id"]
    assert hidden["train"][0]["label"] == 0


def test_windows_and_their_frames_lead_back_to_their_video():
    window = {"clip_id": "12-30/left/00001-00100", "path": "crops/12-30/left", "window": [1, 100], "frames": [7]}
    hidden, names = hide({"test": [window]})
    name = hidden["test"][0]["clip_id"]
    assert name.endswith("/00001-00100") and "left" not in name
    assert names.id_of(name) == "12-30/left/00001-00100"
    assert names.id_of(f"{name.partition('/')[0]}/00007") == "12-30/left/00007"
    assert names.path_of(name) == "crops/12-30/left"


def test_names_are_drawn_anew_so_that_nobody_can_know_them():
    (first, _), (second, _) = hide(ROWS), hide(ROWS)
    assert first["test"][0]["clip_id"] != second["test"][0]["clip_id"]


def test_equal_ids_of_two_datasets_have_two_names():
    hidden, _ = hide({"val": [{"clip_id": "1", "path": "a/1"}], "test": [{"clip_id": "1", "path": "b/1"}]})
    assert hidden["val"][0]["clip_id"] != hidden["test"][0]["clip_id"]


# Files that are closed.


@pytest.fixture
def lists(tmp_path):
    path = tmp_path / "set_1.csv"
    path.write_text("1,7\n")
    return path


def through_a_link(path):
    link = path.with_name("innocent")
    link.symlink_to(path)
    return open(link)


def through_a_second_name(path):
    link = path.with_name("innocent")
    os.link(path, link)
    return open(link)


def from_another_folder(path):
    return open(os.path.relpath(path))


WAYS = {
    "open": open,
    "os.open": lambda path: os.open(path, os.O_RDONLY),
    "read_text": lambda path: path.read_text(),
    "a copy": lambda path: shutil.copyfile(path, path.with_name("copy")),
    "a link": through_a_link,
    "a second name": through_a_second_name,
    "a relative path": from_another_folder,
    "bytes": lambda path: os.open(os.fsencode(path), os.O_RDONLY),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_closed_file_is_refused_and_the_refusal_stays(lists, tmp_path, way):
    unit = tmp_path / "unit"
    unit.mkdir()
    with (
        pytest.raises(IntegrityError, match=r"a plugin tried to open .*set_1\.csv"),
        closed([lists], unit),
        contextlib.suppress(IntegrityError),  # the plugin goes on as if nothing had happened
    ):
        way(lists)
        pytest.fail("it was opened")
    assert (unit / TRACE).is_file()
    with pytest.raises(IntegrityError, match="delete that folder"), closed([], unit):
        pass


def test_other_files_are_open_and_the_closed_ones_are_open_again_afterwards(lists, tmp_path):
    with closed([lists], tmp_path):
        (tmp_path / "other").write_text("x")
    assert lists.read_text() == "1,7\n"


def test_a_forked_process_is_watched_too(lists, tmp_path):
    with pytest.raises(IntegrityError, match="a plugin tried to open"), closed([lists], tmp_path):
        child = os.fork()
        if child == 0:
            try:
                lists.read_text()
            except IntegrityError:
                os._exit(0)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# Units.


@pytest.fixture
def transform():
    """A transform's class that plays the plugin: it sees what every transform of a plugin sees."""
    from benchmark.training.adapter import import_mmaction

    import_mmaction()
    from benchmark.training.data import TargetToTensor

    return TargetToTensor


@pytest.fixture
def setting(synthetic_root, tmp_path):
    request = Request("dfew-5fold", (Variant("tsm"),), preset="small", folds=(1,), settings=("epochs=1",), limit=8)
    group, machine = planned(request, synthetic_root, tmp_path)
    return group.units[0], group.data, machine


def test_the_lists_of_a_dataset_are_the_files_that_its_layout_reads(setting):
    _, data, _ = setting
    names = {path.name for path in list_files(data.layout, data.root)}
    assert {"set_1.csv", "annotation.xlsx"} <= names


@pytest.mark.parametrize("workers", [0, 1])
def test_a_plugin_that_reads_the_lists_fails_its_unit_for_good(setting, transform, monkeypatch, workers):
    """It catches the refusal and goes on; the unit fails nevertheless, and so does every later attempt."""
    unit, data, machine = setting
    path = next(path for path in list_files(data.layout, data.root) if path.name == "set_1.csv")
    honest = transform.__call__

    def peeking(self, results):
        try:
            with open(path) as file:
                results["peeked"] = dict(csv.reader(file))
        except Exception:
            pass
        return honest(self, results)

    monkeypatch.setattr(transform, "__call__", peeking)
    with pytest.raises(IntegrityError, match=r"a plugin tried to open .*set_1\.csv"):
        run_unit(unit, data.folds[1], dataclasses.replace(machine, workers=workers), Watcher())
    monkeypatch.undo()
    with pytest.raises(IntegrityError, match=r"mend the plugin and delete that folder"):
        run_unit(unit, data.folds[1], machine, Watcher())


def test_a_plugin_sees_no_id_and_no_path_of_a_clip(setting, transform, monkeypatch):
    unit, data, machine = setting
    seen = []
    honest = transform.__call__

    def watching(self, results):
        seen.append((results["clip_id"], set(results)))
        return honest(self, results)

    monkeypatch.setattr(transform, "__call__", watching)
    state = run_unit(unit, data.folds[1], machine, Watcher())
    assert state.status == "scored"
    ids = {clip.id for name in ("train", "val", "test") for clip in data.folds[1].split(name)}
    assert seen and not ids & {name for name, _ in seen}
    assert not any("path" in keys for _, keys in seen)
    for split in ("train", "watched", "test"):
        rows = json.loads((machine.runs / unit.folder / f"splits/{split}.json").read_text())["data_list"]
        assert not ids & {row["clip_id"] for row in rows}
        assert not any("path" in row for row in rows)


def test_the_names_file_is_closed_as_well(setting, transform, monkeypatch):
    unit, data, machine = setting
    honest = transform.__call__

    def peeking(self, results):
        (machine.runs / unit.folder / "splits/names.json").read_text()
        return honest(self, results)

    monkeypatch.setattr(transform, "__call__", peeking)
    with pytest.raises(IntegrityError, match=r"names\.json"):
        run_unit(unit, data.folds[1], machine, Watcher())


def test_reading_names_needs_no_torch():
    code = "import sys; import benchmark.units.clip_names, benchmark.units.guard; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_is_not_guessed():
    with pytest.raises(KeyError):
        Names({}).id_of("00001")
