"""What is said before a run that does without the weights its methods rest on."""

from __future__ import annotations

import pytest

from benchmark.planning.starting_weights import from_scratch, unfilled
from benchmark.protocol import load_protocol
from benchmark.registry import registry
from benchmark.units.unit import Unit


def unit(method: str, preset: str = "paper", **more) -> Unit:
    return Unit(
        protocol=load_protocol(registry().find("protocols", "dfew-fold1")),
        method=method,
        method_version="1",
        preset=preset,
        labels="hard",
        seed=0,
        fold=1,
        data="0" * 64,
        synthetic=False,
        **more,
    )


def test_all_rows_without_their_pre_training_share_one_line():
    (line,) = from_scratch([unit("tsm"), unit("former-dfer"), unit("videomae"), unit("tsm").model_copy()])
    assert line.startswith("warning: no pre-training: tsm, videomae start from fresh weights")


@pytest.mark.parametrize(
    "quiet",
    [unit("tsm", "small"), unit("former-dfer"), unit("tsm", init={"model": "0" * 64}), unit("tsm", source="4-abc")],
)
def test_nothing_is_said_where_nothing_is_missing_or_nothing_is_trained(quiet):
    assert from_scratch([quiet]) == []


def test_a_method_that_is_another_one_without_weights_says_which():
    (line,) = from_scratch([unit("aen", "small")])
    assert "without weights for 'guide' its loss is L_mc alone" in line and "--init guide=FILE" in line


def test_once_the_weights_are_read_only_what_they_did_not_fill_is_said():
    method = registry().methods["s2d"]
    assert "landmark" in unfilled(method, ["s2d"], ["model"]) and "'model'" not in unfilled(method, ["s2d"], ["model"])
    assert unfilled(method, ["s2d"], ["model", "landmark"]) == ""


def test_every_paper_preset_whose_model_starts_from_something_is_loud():
    loud = {name for name in registry().methods if from_scratch([unit(name)])}
    assert loud >= {"aen", "m3dfel", "mae-dfer", "s2d", "s4d", "svfap", "tsm", "v-naw", "videomae"}
    assert "former-dfer" not in loud
