"""Which device is whose, and what a process computes with; nothing here needs an accelerator."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import subprocess
import sys

import pytest
import torch

from benchmark.errors import EnvironmentProblem, UsageError
from benchmark.processes import worker_pool
from benchmark.resources import GIVEN, VISIBLE, given_devices, shared_out
from benchmark.running.run import _start_worker
from benchmark.running.team import torchrun_led
from benchmark.running.torchrun import TORCHRUN
from benchmark.training import devices, distributed
from benchmark.training.devices import compute_by, gaps_told, use_device, visible_devices
from benchmark.training.randomness import own_stream
from benchmark.units.computing import Computing

MIXED = "4,GPU-3faf8393,MIG-1b2c"


@pytest.fixture
def given(monkeypatch):
    """Says what the scheduler gave; whatever is asked for is then undone."""

    def say(text):
        # Set first, so that what a test sets is taken back, also where there was nothing.
        for name, value in ((GIVEN, ""), (VISIBLE, text or "")):
            monkeypatch.setenv(name, value)
        for name in (GIVEN, *([] if text is not None else [VISIBLE])):
            monkeypatch.delenv(name)

    return say


@pytest.fixture
def accelerators(monkeypatch):
    """A machine with three of them, as far as torch says."""
    for name, value in {
        "is_available": True,
        "device_count": 3,
        "get_device_name": "Card",
        "get_device_capability": (7, 5),
        "is_bf16_supported": False,
    }.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, value=value, **__: value)
    monkeypatch.setattr(devices, "_asked", [])


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (None, None),
        ("", []),
        ("2,0", ["2", "0"]),
        (MIXED, ["4", "GPU-3faf8393", "MIG-1b2c"]),
        ("1,-1,2", ["1"]),
        ("NoDevFiles", []),
    ],
)
def test_what_the_scheduler_gave_is_read_as_cuda_reads_it(given, text, names):
    given(text)
    assert given_devices() == names


@pytest.mark.parametrize(("number", "name"), enumerate(MIXED.split(",")))
def test_a_number_counts_the_given_devices_however_often_it_is_asked_for(given, accelerators, number, name):
    given(MIXED)
    for _ in range(2):
        use_device(f"cuda:{number}")
        assert os.environ[VISIBLE] == name


def test_where_nothing_was_given_a_number_is_the_machines(given, accelerators):
    given(None)
    for _ in range(2):
        use_device("cuda:2")
        assert os.environ[VISIBLE] == "2"


def test_a_device_that_was_not_given_is_refused(given, accelerators):
    given("4,7")
    with pytest.raises(EnvironmentProblem, match=r"cuda:2: this process was given 2 accelerators.*DEVICES=4,7"):
        use_device("cuda:2")
    assert os.environ[VISIBLE] == "4,7"


@pytest.mark.parametrize("name", ["cpu", "cuda:0"])
def test_a_device_that_is_chosen_too_late_is_refused(given, accelerators, name):
    given("4,7")
    use_device("cuda:1")
    use_device("auto")
    with pytest.raises(EnvironmentProblem, match=f"--device {name}: CUDA was asked before"):
        use_device(name)


def test_cuda_shows_each_process_of_torchrun_its_own_device_alone(given, accelerators, monkeypatch):
    shown = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: not shown.append(os.environ[VISIBLE]))
    monkeypatch.setattr(distributed, "group", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(distributed, "follow", lambda: None)
    for name, value in zip(TORCHRUN, ("3", "4", "1", "localhost", "1"), strict=True):
        monkeypatch.setenv(name, value)
    given("4,7")
    with torchrun_led(True, "auto") as leads:
        assert not leads
    assert set(shown) == {"7"}


# Says what CUDA may see when MMEngine is imported, which asks it; further than that nothing gets.
ASKED = """
import importlib.machinery, os, sys
from pathlib import Path
import torch
import benchmark
from benchmark import Request, Resources, Variant
from benchmark.library.pretrain import PretrainingRequest

class Asked:
    def find_spec(self, name, *_):
        if name == "mmengine":
            spec = importlib.machinery.PathFinder.find_spec(name)
            spec.loader.exec_module = self.tell
            return spec

    def tell(self, module):
        shown.append(os.environ["CUDA_VISIBLE_DEVICES"])
        raise SystemExit

def asks(function, *arguments, **options):
    os.environ["CUDA_VISIBLE_DEVICES"] = "4,7"
    try:
        function(*arguments, **options)
    except BaseException as error:
        print(repr(error), file=sys.stderr)

root, place = map(Path, sys.argv[1:])
shown = []
sys.meta_path.insert(0, Asked())
request = Request("dfew-5fold", (Variant("tsm"),), "small", (1,), settings=("model.backbone.type=ResNet",))
cpu = Resources("cpu")
asks(benchmark.run, request, data_root=root, runs=place, resources=cpu)
asks(benchmark.pretrain, PretrainingRequest("videomae", videos=root), output=place, resources=cpu)
asks(benchmark.predict, [next(root.rglob("*.jpg"))], "tsm", __file__, device="cpu")

sys.meta_path.pop(0)
torch.backends.mps.is_available = lambda: True
from benchmark.training import adapter
from mmengine.device import get_device
print(shown, get_device())
"""


def test_a_device_is_chosen_before_mmengine_asks_what_there_is(synthetic_root, tmp_path):
    (script := tmp_path / "asked.py").write_text(ASKED)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, script, synthetic_root, tmp_path / "place"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['', '', ''] cpu", done.stderr


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "cuda:-1", ""])
def test_what_is_no_device_is_not_taken_for_another(name):
    with pytest.raises(UsageError, match="give auto, cpu, cuda or cuda:N"):
        use_device(name)


@pytest.mark.parametrize(("text", "names"), [(None, ["0", "1", "2"]), (MIXED, MIXED.split(",")), ("", [])])
def test_units_are_spread_over_all_devices_that_were_given(given, accelerators, text, names):
    given(text)
    assert visible_devices() == names


def test_every_process_has_a_device_and_none_has_two_more_than_another():
    assert shared_out(5, ["a", "b"]) == ["a", "b", "a", "b", "a"]
    assert shared_out(2, []) == [None, None]


def test_a_worker_sees_its_own_device_alone(given):
    given(MIXED)
    context = multiprocessing.get_context("spawn")
    events, devices = context.SimpleQueue(), context.SimpleQueue()
    devices.put("MIG-1b2c")
    with worker_pool(1, _start_worker, (events, devices), died="died") as pool:
        seen = [pool.submit(os.getenv, name).result() for name in (VISIBLE, GIVEN)]
    assert seen == ["MIG-1b2c", MIXED]


@pytest.fixture
def restored():
    """Whatever a test chooses, the next one computes as by default."""
    yield
    compute_by(Computing())


def test_float32_is_not_rounded_to_less(restored):
    compute_by(Computing())
    assert not torch.backends.cuda.matmul.allow_tf32 and not torch.backends.cudnn.allow_tf32


def test_tf32_is_asked_for_where_there_is_some(restored, accelerators, monkeypatch):
    with pytest.raises(EnvironmentProblem, match="--precision tf32: Card has no TensorFloat-32"):
        compute_by(Computing(precision="tf32"))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (8, 0))
    compute_by(Computing(precision="tf32"))
    assert torch.backends.cuda.matmul.allow_tf32 and torch.backends.cudnn.allow_tf32


def test_a_precision_that_the_device_lacks_is_refused(restored, accelerators):
    with pytest.raises(EnvironmentProblem, match="--precision bf16: Card has no bfloat16; use fp16 or fp32"):
        compute_by(Computing(precision="bf16"))


def test_a_processor_has_16_bits_but_no_tf32(restored):
    compute_by(Computing(precision="bf16"))
    compute_by(Computing(precision="fp16"))
    with pytest.raises(EnvironmentProblem, match="--precision tf32: cpu has no TensorFloat-32"):
        compute_by(Computing(precision="tf32"))


def test_deterministic_algorithms_are_chosen_and_left_again(restored, monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    compute_by(Computing(deterministic=True))
    assert torch.are_deterministic_algorithms_enabled() and os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    assert not torch.backends.cudnn.benchmark
    compute_by(Computing())
    assert not torch.are_deterministic_algorithms_enabled() and torch.backends.cudnn.benchmark


def test_what_is_not_deterministic_anywhere_says_which_option_to_leave_out(restored):
    compute_by(Computing(deterministic=True))
    with (
        pytest.raises(EnvironmentProblem, match="--deterministic: .* no deterministic put_ on cpu: leave"),
        gaps_told(),
    ):
        torch.zeros(2).put_(torch.tensor([0, 0]), torch.ones(2))


def test_a_step_draws_from_the_stream_of_its_own_accelerator(accelerators, monkeypatch):
    asked = []
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch.random, "fork_rng", lambda devices: asked.append(devices) or contextlib.nullcontext())
    with own_stream(3):
        pass
    assert asked == [[1]]


@pytest.mark.parametrize(("variable", "name"), [("CXX", "C++"), ("CC", "C")])
def test_compiling_needs_a_compiler_of_the_devices_language(request, monkeypatch, tmp_path, variable, name):
    request.getfixturevalue("accelerators" if name == "C" else "restored")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(EnvironmentProblem, match=f"--compile: needs a {re.escape(name)} compiler"):
        compute_by(Computing(compile=True))
