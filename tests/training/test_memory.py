"""Micro-batches that fit, and what is said when something does not."""

from __future__ import annotations

from argparse import ArgumentTypeError

import pytest
import torch

import benchmark
from benchmark import Request, Resources, Variant
from benchmark.cli.run_options import micro_batch
from benchmark.training.memory import largest
from benchmark.units.state import read_state
from tests.small_runs import Remembering

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


@pytest.mark.parametrize(("text", "reason"), [("0", "at least 1"), ("some", "neither a number of clips nor auto")])
def test_a_micro_batch_has_at_least_one_clip(text, reason):
    with pytest.raises(ArgumentTypeError, match=reason):
        micro_batch(text)
