"""Micro-batches that fit, and what is said when something does not."""

from __future__ import annotations

import gc
import weakref
from argparse import ArgumentTypeError
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import benchmark
from benchmark import Request, Resources, Variant
from benchmark.cli.run_options import micro_batch
from benchmark.errors import EnvironmentProblem
from benchmark.training import memory
from benchmark.training.memory import find_micro_batch, largest, memory_told
from benchmark.training.prediction import Predictor
from benchmark.training.shares import Cut
from benchmark.units.computing import Computing
from benchmark.units.state import read_state
from tests.small_runs import Remembering
from tests.training.test_precision import job_for

SETTINGS = ("epochs=1", "batch_size=8")
HOLDS = 3


@pytest.mark.parametrize(
    ("most", "holds", "expected"), [(8, 8, 8), (8, 7, 4), (8, 1, 1), (7, 3, 2), (24, 6, 6), (1, 0, 1)]
)
def test_the_batch_is_halved_until_it_fits(most, holds, expected):
    tried = []

    def fits(size):
        tried.append(size)
        return size <= holds

    assert largest(most, fits) == expected
    assert tried == sorted(tried, reverse=True)


@pytest.fixture
def small_device(monkeypatch):
    """A device that holds HOLDS clips."""
    from mmaction.models import Recognizer2D

    forward, seen = Recognizer2D.forward, []

    def limited(self, inputs, *rest, **options):
        seen.append(len(inputs))
        if len(inputs) > HOLDS:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return forward(self, inputs, *rest, **options)

    monkeypatch.setattr(Recognizer2D, "forward", limited)
    return seen


def run(root, out, resources, watcher):
    request = Request("dfew-5fold", (Variant("frame-average"),), preset="small", folds=(1,), settings=SETTINGS, limit=9)
    (record,) = benchmark.run(request, data_root=root, runs=out, resources=resources, watcher=watcher)
    (state,) = map(read_state, (path.parent for path in out.rglob("state.json")))
    return record, state


class Noting(Remembering):
    def __init__(self, interrupt=False):
        super().__init__()
        self.notes, self.interrupt = [], interrupt

    def note(self, message):
        self.notes.append(message)

    def predicting(self, unit, done, total):
        if self.interrupt:
            raise KeyboardInterrupt


def test_what_fits_is_found_kept_and_used_for_everything(synthetic_root, tmp_path, small_device):
    auto = Resources("cpu", jobs=1, micro_batch="auto")
    with pytest.raises(KeyboardInterrupt):
        run(synthetic_root, tmp_path, auto, Noting(interrupt=True))
    watcher = Noting()
    small_device.clear()
    record, state = run(synthetic_root, tmp_path, auto, watcher)
    assert not watcher.failures
    # The device is not asked again, and no prediction needs more than training does.
    assert max(small_device) == 2
    assert state.cost.computing.micro_batch == 2
    [unit] = record.units
    assert (unit.cost.computing.micro_batch, unit.cost.batch_statistics) == (2, 2)


def test_memory_that_is_used_up_says_what_to_do(synthetic_root, tmp_path, small_device):
    watcher = Noting()
    run(synthetic_root, tmp_path, Resources("cpu", jobs=1, micro_batch=4), watcher)
    [reason] = watcher.failures
    assert reason.startswith(
        "the device's memory is used up by 4 clips at a time: try --micro-batch auto, or less than 4"
    )
    assert [note for note in watcher.notes if "batch norms see 4 clips at a time, where the recipe has 8" in note]


@pytest.mark.parametrize(
    "said",
    [
        "CUDA error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 9",
    ],
)
def test_memory_is_known_to_be_used_up_whoever_says_it(said):
    with pytest.raises(EnvironmentProblem, match="used up by 4 clips at a time"), memory_told(4):
        raise RuntimeError(said)
    with pytest.raises(RuntimeError, match="a bug"), memory_told(4):
        raise RuntimeError("a bug")


def test_nothing_of_an_attempt_stays_in_memory(synthetic_root, tmp_path, monkeypatch):
    build, tried = memory.MODELS.build, []

    def remembered(config):
        tried.append(weakref.ref(model := build(config)))
        return model

    monkeypatch.setattr(memory.MODELS, "build", remembered)
    # As in the middle of a long step: Python does not look by itself for what refers to itself.
    gc.disable()
    try:
        job = job_for("tsm", synthetic_root, tmp_path, epochs=1)
        find_micro_batch(job.config(), Computing(precision="bf16"), Cut.of(2, None), checkpointing=True)
    finally:
        gc.enable()
    assert tried and not any(model() for model in tried)


class Small:
    """A model of which two pieces at a time fit."""

    def __init__(self, holds):
        self.holds, self.seen = holds, []

    def test_step(self, batch):
        if len(batch["inputs"]) > self.holds:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.seen.append(len(batch["inputs"]))
        return [SimpleNamespace(pred_score=clip.float()) for clip in batch["inputs"]]


def test_pieces_of_videos_are_predicted_as_many_at_a_time_as_fit():
    predictor = Predictor.__new__(Predictor)
    pieces = [{"inputs": torch.full((2,), number), "data_samples": None} for number in range(7)]
    predictor.model = Small(2)
    assert np.array_equal(predictor.classify(pieces)[:, 0], np.arange(7))
    assert predictor.model.seen == [1, 2, 2, 2]
    predictor.model = Small(0)
    with pytest.raises(EnvironmentProblem, match="does not hold one clip: try --precision bf16"):
        predictor.classify(pieces)


@pytest.mark.parametrize(("text", "reason"), [("0", "at least 1"), ("some", "neither a number of clips nor auto")])
def test_a_micro_batch_has_at_least_one_clip(text, reason):
    with pytest.raises(ArgumentTypeError, match=reason):
        micro_batch(text)
