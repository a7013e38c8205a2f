"""A shape that does not fit is told by what each part of the model got and gave, in a run as well."""

from __future__ import annotations

import pytest

from benchmark.fence import PluginFault
from benchmark.planning.request import Request, Variant
from benchmark.registry import registry
from benchmark.running.steps import run_unit
from benchmark.specs import load_object
from benchmark.watcher import Watcher
from tests.small_runs import planned

METHOD = "tsm"


def wrong(preset, num_classes):
    recipe = load_object(registry().methods[METHOD].recipe)(preset, num_classes)
    recipe.model["cls_head"]["in_channels"] = 5
    return recipe


def test_a_unit_whose_shapes_do_not_fit_says_which_part_got_what(synthetic_root, tmp_path, monkeypatch):
    import dataclasses

    method = dataclasses.replace(registry().methods[METHOD], name="wrong", recipe=f"{__name__}:wrong")
    monkeypatch.setitem(registry().methods, "wrong", method)
    request = Request("dfew-5fold", (Variant("wrong"),), preset="small", folds=(1,), settings=("epochs=1",), limit=8)
    group, machine = planned(request, synthetic_root, tmp_path)
    with pytest.raises(
        PluginFault, match=r"backbone \w+ got \(16, 3, 32, 32\) and gave .*; cls_head \w+ got .* failed"
    ):
        run_unit(group.units[0], group.data.folds[1], machine, Watcher())


def test_an_error_that_does_not_come_of_shapes_stays_what_it_is(synthetic_root, tmp_path, monkeypatch):
    class Broken(Watcher):
        def step(self, unit, epoch, step, steps):
            raise ValueError("the bar is full")

    request = Request("dfew-5fold", (Variant(METHOD),), preset="small", folds=(1,), settings=("epochs=1",), limit=8)
    group, machine = planned(request, synthetic_root, tmp_path)
    with pytest.raises(ValueError, match="the bar is full"):
        run_unit(group.units[0], group.data.folds[1], machine, Broken())
