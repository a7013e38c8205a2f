"""What becomes of finished units that older code has made."""

from __future__ import annotations

import pytest

from benchmark.errors import IntegrityError
from benchmark.protocol import load_protocol
from benchmark.registry import registry
from benchmark.units.state import SCORES, STATE, Selected, UnitState, read_state, unfinished
from benchmark.units.unit import Unit

UNIT = Unit(
    protocol=load_protocol(registry().find("protocols", "dfew-fold1")),
    method="tsm",
    method_version="1",
    preset="small",
    labels="hard",
    seed=0,
    fold=1,
    data="0" * 64,
    synthetic=False,
    code={"tsm.model": "a" * 64},
)
NEW = UNIT.model_copy(update={"code": {"tsm.model": "b" * 64}})
FIRST, SECOND = (Selected(epoch=1, epochs=1, value=0.5, sha256=digit * 64) for digit in "12")


def viewed(trained: Unit) -> Unit:
    """The unit that tests the checkpoint of a trained one otherwise."""
    return trained.model_copy(update={"views": "official", "source": trained.identity})


def finish(runs, unit: Unit, selected: Selected = FIRST) -> None:
    folder = runs / unit.folder
    folder.mkdir(parents=True)
    (folder / SCORES).touch()
    state = UnitState(identity=unit.identity, unit=unit, status="scored", selected=selected)
    (folder / STATE).write_text(state.model_dump_json(by_alias=True))


@pytest.mark.parametrize("dry", [True, False])
def test_units_that_test_a_kept_checkpoint_are_kept_with_it(tmp_path, dry):
    for unit in (UNIT, viewed(UNIT)):
        finish(tmp_path, unit)
    assert unfinished([NEW, viewed(NEW)], tmp_path, "keep", dry) == []
    kept = [read_state(tmp_path / unit.folder).kept for unit in (NEW, viewed(NEW))]
    assert kept == ([[], []] if dry else [["code of tsm.model"]] * 2)


def test_units_that_tested_another_checkpoint_are_not_kept(tmp_path):
    finish(tmp_path, NEW, SECOND)
    finish(tmp_path, viewed(UNIT), FIRST)
    with pytest.raises(IntegrityError, match="source"):
        unfinished([NEW, viewed(NEW)], tmp_path, "keep")


def test_a_difference_in_the_data_is_never_kept(tmp_path):
    finish(tmp_path, UNIT)
    with pytest.raises(IntegrityError, match="differs in: data"):
        unfinished([UNIT.model_copy(update={"data": "1" * 64})], tmp_path, "keep")
