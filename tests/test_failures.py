"""Every error of the system becomes one line and the exit code that README states."""

from __future__ import annotations

import errno
import os
import pickle

import pytest

from benchmark.errors import EnvironmentProblem, IntegrityError, UsageError
from benchmark.failures import _SYSTEM, explain, reason_of, stops_everything, system_errors_told


@pytest.mark.parametrize("number", sorted(_SYSTEM), ids=lambda number: errno.errorcode[number])
def test_every_error_of_the_system_is_one_line_with_its_place_and_exits_3(number):
    failure = explain(OSError(number, os.strerror(number), "/data/runs/state.json"))
    assert failure.exit_code == 3
    assert failure.message.startswith("/data/runs/state.json: ")
    assert "\n" not in failure.message


def test_an_error_that_nobody_thought_of_is_told_in_the_systems_own_words():
    assert "Multihop attempted" in explain(OSError(errno.EMULTIHOP, "Multihop attempted", "/x")).message


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (MemoryError(), 3, "not enough memory"),
        (ImportError("No module named 'decord'"), 3, "benchmark doctor"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), 4, "not UTF-8"),
        (RecursionError("maximum recursion depth exceeded"), 4, "nested too deeply"),
        (UsageError("no such thing"), 2, "no such thing"),
        (IntegrityError("differs"), 4, "differs"),
        (ZeroDivisionError("division by zero"), 1, "ZeroDivisionError: division by zero (unexpected"),
        (SystemExit(0), 1, "SystemExit: 0"),
    ],
)
def test_other_errors_have_a_sentence_and_a_code(error, code, text):
    failure = explain(error)
    assert failure.exit_code == code
    assert text in failure.message


def test_a_name_with_control_characters_or_without_end_cannot_spoil_the_terminal():
    hostile = explain(OSError(errno.ENOENT, "", "a\x1b[31m\nb")).message
    assert hostile.startswith("a?[31m?b: ")
    assert len(explain(OSError(errno.ENAMETOOLONG, "", "x" * 5000)).message) < 800


def test_a_reason_is_one_line_even_if_the_message_is_many_or_fails():
    class Bad(Exception):
        def __str__(self):
            raise ValueError

    assert reason_of(RuntimeError("first\n  second\n")) == "RuntimeError: first second"
    assert reason_of(Bad()) == "Bad: its message cannot be shown"


def test_what_every_unit_would_meet_stops_the_run_and_what_one_met_does_not():
    assert stops_everything(OSError(errno.ENOSPC, ""))
    assert stops_everything(OSError(errno.EROFS, ""))
    assert not stops_everything(OSError(errno.EACCES, ""))
    assert not stops_everything(ValueError())


def test_library_functions_raise_the_same_sentence():
    with pytest.raises(EnvironmentProblem, match="/x: permission denied"), system_errors_told():
        raise PermissionError(errno.EACCES, "Permission denied", "/x")


def test_errors_can_be_handed_from_worker_to_parent():
    assert str(pickle.loads(pickle.dumps(EnvironmentProblem("a")))) == "a"
