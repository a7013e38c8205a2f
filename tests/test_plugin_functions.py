"""What the functions of plugins give is checked where they are called, and the plugin is named."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from benchmark.datasets.clips import read_clips
from benchmark.fence import PluginFault
from benchmark.plugin_functions import build_augmentation, find_dataset, make_recipe, rename_tensors
from benchmark.registry import registry
from benchmark.scoring.computing import compute_of, compute_of_targets


def nothing(*_, **__):
    return None


def number(*_, **__):
    return 7


def numbered(state):
    return dict(enumerate(state))


HERE = f"{__name__}:"
LAYOUT = registry().datasets["table"]
METRIC = registry().metrics["uar"]
PRESET = registry().methods["tsm"].presets["small"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (partial(make_recipe, HERE + "nothing", PRESET, 7), "nothing: gave a NoneType, not a Recipe"),
        (partial(rename_tensors, HERE + "nothing", {}), "nothing: gave NoneType, not a dict by tensor names"),
        (partial(rename_tensors, HERE + "numbered", {"a": 1}), "numbered: gave dict, not a dict by tensor names"),
        (
            partial(
                build_augmentation, dataclasses.replace(registry().augmentations["mixup"], build=HERE + "number"), 7, {}
            ),
            "number: gave int, not a dict with a 'type'",
        ),
        (
            partial(find_dataset, dataclasses.replace(LAYOUT, find=HERE + "number"), Path()),
            "number: gave int, not a path",
        ),
        (
            partial(read_clips, dataclasses.replace(LAYOUT, read=HERE + "number"), Path(), False),
            "number: gave int, not a list of clips",
        ),
        (
            partial(compute_of(dataclasses.replace(METRIC, compute=HERE + "number")), np.ones((2, 1, 1))),
            r"number: gave values of shape \(\), not \(2,\)",
        ),
        (
            partial(
                compute_of_targets(dataclasses.replace(METRIC, compute=HERE + "nothing")), np.zeros(1), np.ones((1, 1))
            ),
            "nothing: gave nan, which is no score",
        ),
    ],
)
def test_what_is_not_of_the_type_is_named_with_the_function_that_gave_it(call, message):
    with pytest.raises(PluginFault, match=f"^{HERE}{message}"):
        call()


def test_a_dataset_that_is_not_there_is_none():
    assert find_dataset(dataclasses.replace(LAYOUT, find=HERE + "nothing"), Path()) is None
