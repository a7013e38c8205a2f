"""`benchmark doctor`: what it finds, what it advises, and that only a problem changes the exit code."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from packaging.requirements import Requirement

from benchmark.cli import health
from benchmark.cli.health import Check
from benchmark.cli.main import main
from tests.conftest import benchmark


def test_it_reports_the_environment():
    done = benchmark("doctor", "--json")
    found = {check["subject"]: check for check in json.loads(done.stdout)}
    assert done.returncode == 0, done.stdout
    for subject in ("torch", "mmaction.models", "decoding JPEG frames", "decoding video", "decoding B-frames"):
        assert found[subject]["level"] == "ok"
    assert found["plugin built-in"]["level"] == "ok"


@pytest.mark.parametrize(("level", "code"), [("ok", 0), ("warning", 0), ("problem", 3)])
def test_only_a_problem_is_a_failure(level, code, monkeypatch, capsys):
    monkeypatch.setattr(health, "checks", lambda: [Check("disk", level, "it is full", "empty it")])
    assert main(["doctor"]) == code
    assert "* disk: empty it" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("asked", "pin", "level", "advice"),
    [
        ("numpy>=1.26", None, "ok", ""),
        ("numpy<1", "0.9", "warning", 'pip install --no-deps "numpy==0.9"'),
        ("no-such-package>=2", None, "problem", 'pip install --no-deps "no-such-package>=2"'),
    ],
)
def test_a_version_is_compared_with_what_was_tested(asked, pin, level, advice):
    check = health._package(Requirement(asked), pin)
    assert (check.level, check.advice) == (level, advice)


def test_a_version_inside_the_bounds_that_is_not_the_pinned_one_is_named(monkeypatch):
    monkeypatch.setattr(health, "package_version", lambda name: "2.1")
    check = health._package(Requirement("numpy>=2"), "2.0")
    assert (check.level, check.finding) == ("ok", "2.1 (requirements.txt: 2.0)")


def test_the_pins_are_those_of_the_requirements():
    assert health._pins()["mmengine"] == "0.10.7"


@pytest.mark.parametrize(
    ("installed", "level", "told"),
    [
        ({"a": "1"}, "ok", ""),
        ({"a": "1", "b": "1"}, "ok", ""),
        ({"a": "1", "b": "2"}, "problem", "pip uninstall b"),
        ({}, "problem", "pip install --no-deps a"),
    ],
)
def test_two_builds_that_own_one_module_are_a_problem(installed, level, told, monkeypatch):
    monkeypatch.setattr(health, "package_version", installed.get)
    check = health._one_owner("Builds", "module", ("a", "b"))
    assert check.level == level
    assert told in check.advice


def test_a_reader_that_gives_other_frames_is_a_problem(monkeypatch, tmp_path):
    class Shifted:
        decoder, count = "some decoder", 10

        def read(self, indices):
            return [np.full((48, 64, 3), 20 * (number + 2), np.uint8) for number in indices]

    monkeypatch.setattr("benchmark.video.frames.open_clip", lambda path: Shifted())
    assert {check.level for check in health._decoding()} == {"problem"}


def test_a_reader_that_breaks_is_a_problem_with_its_reason(monkeypatch):
    def breaks(path):
        raise RuntimeError("no codec")

    monkeypatch.setattr("benchmark.video.frames.open_clip", breaks)
    assert all("no codec" in check.finding and check.advice for check in health._decoding())


@pytest.mark.parametrize(("free", "level"), [(0.5, "problem"), (5, "warning"), (50, "ok")])
def test_a_disk_that_is_nearly_full_is_told(free, level, monkeypatch, tmp_path):
    monkeypatch.setattr(health.shutil, "disk_usage", lambda path: type("Usage", (), {"free": free * 2**30}))
    assert health._disk("disk", tmp_path / "not/made/yet", "another folder").level == level


def test_a_limit_of_the_cache_that_is_no_number_is_a_problem(monkeypatch):
    monkeypatch.setenv("BENCHMARK_CACHE_LIMIT", "much")
    assert "problem" in {check.level for check in health._disks()}


def test_a_data_root_is_looked_through(monkeypatch, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/clips.csv").write_text("clip_id,path,label\na,a.mp4,happy\n")
    monkeypatch.delenv("BENCHMARK_DATA_ROOT", raising=False)
    assert "not set" in health._data_root().finding
    monkeypatch.setenv("BENCHMARK_DATA_ROOT", str(tmp_path / "mine"))
    assert health._data_root().level == "ok"
    assert "table" in health._data_root().finding
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("BENCHMARK_DATA_ROOT", str(tmp_path / "empty"))
    assert health._data_root().level == "warning"
    monkeypatch.setenv("BENCHMARK_DATA_ROOT", str(tmp_path / "nowhere"))
    assert health._data_root().level == "problem"


def test_a_broken_plugin_is_named_with_the_reason(monkeypatch):
    from benchmark.registry import Plugin, Registry

    found = Registry()
    found.report(Plugin("theirs", "their-package", "1"), "cannot be imported: no module named foo")
    monkeypatch.setattr(health, "registry", lambda: found)
    (check,) = health._plugins()
    assert check.level == "problem"
    assert "theirs" in check.finding
    assert "no module named foo" in check.finding


@pytest.fixture
def on_cpu(monkeypatch):
    """No accelerator, and no torch that takes seconds to say so."""
    devices = SimpleNamespace(device_found=lambda: "cpu")
    monkeypatch.setitem(sys.modules, "benchmark.training.devices", devices)


def test_a_gpu_that_torch_does_not_see_is_told(on_cpu, monkeypatch, tmp_path):
    monkeypatch.setattr(health, "GPU_DRIVER", tmp_path)
    assert "CUDA build" in health._device().advice


def test_little_shared_memory_is_told(on_cpu, monkeypatch, tmp_path):
    monkeypatch.setattr(health, "GPU_DRIVER", tmp_path / "none")
    monkeypatch.setattr(health, "_shared_memory", lambda: 64 * 2**20)
    assert "--shm-size" in health._device().advice
