"""State files that somebody changed: the file, the key and what is wrong with it are named."""

from __future__ import annotations

import pytest

from benchmark.errors import IntegrityError
from benchmark.units.pretraining import PretrainingState
from benchmark.units.state import UnitState
from benchmark.units.state_file import stored


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('{"identity": 7, "unit": {}}', r"identity: Input should be a valid string \(and \d+ more\)"),
        ('{"version": 2}', r"version: Input should be 1 \(and 2 more\)"),
        ("{", "Invalid JSON.*"),
    ],
)
@pytest.mark.parametrize(("form", "kind"), [(UnitState, "unit"), (PretrainingState, "pre-training")])
def test_a_state_that_cannot_be_is_refused(tmp_path, content, problem, form, kind):
    path = tmp_path / "state.json"
    path.write_text(content)
    with pytest.raises(
        IntegrityError, match=f"^{path}: is not a {kind}'s state: {problem}; delete {tmp_path} to start"
    ):
        stored(path, form, kind)


def test_where_nothing_was_begun_there_is_no_state(tmp_path):
    assert stored(tmp_path / "state.json", UnitState, "unit") is None
