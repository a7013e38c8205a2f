"""How work is computed is one value: kept with it, agreed with on resuming, and known of work from before it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.errors import IntegrityError
from benchmark.records import Cost as RecordCost
from benchmark.running.machine import Resources
from benchmark.units.computing import Computing, check_computing
from benchmark.units.state import Cost

BF16 = Computing(precision="bf16", deterministic=True, micro_batch=4)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"precision": "fp32"}, "was begun with --precision bf16, and"),
        ({"deterministic": False, "threads": 2}, "was begun with --deterministic --threads 1, and"),
        ({"compile": True}, "was begun with no --compile, and"),
        ({"micro_batch": None}, "was begun with --micro-batch 4, and"),
    ],
)
def test_work_is_not_continued_otherwise_than_it_was_begun(change, said):
    with pytest.raises(IntegrityError, match=said):
        check_computing(Path("unit"), BF16, BF16.model_copy(update=change))


def test_it_is_continued_as_it_was_begun_by_any_number_of_processes():
    check_computing(Path("unit"), BF16, BF16.model_copy(update={"processes": 4}))


@pytest.mark.parametrize(("bf16", "precision"), [(True, "bf16"), (False, "fp32")])
def test_by_default_a_device_computes_in_bf16_where_it_can(bf16, precision):
    assert Resources().computing_on(bf16) == Computing(precision=precision)
    assert Resources(precision="tf32").computing_on(bf16).precision == "tf32"


def test_a_state_that_knows_only_threads_computed_in_fp32():
    assert Cost.model_validate_json('{"device": "cpu", "threads": 3}').computing == Computing(threads=3)


def test_a_record_keeps_the_content_that_it_was_published_with():
    spent = {"train_seconds": 1.0, "predict_seconds": 1.0, "attempts": 1, "device": "cpu", "hardware": {}}
    for known in ({"threads": 2}, {"computing": BF16.model_dump()}):
        assert RecordCost.model_validate({**spent, **known}).model_dump() == {**spent, **known}


def test_it_is_shown_by_what_is_not_as_by_default():
    assert str(Computing()) == "fp32"
    assert str(BF16) == "bf16 --deterministic --micro-batch 4"
