from pathlib import Path

import pytest

from benchmark.errors import UsageError
from benchmark.protocol import load_protocol, override
from benchmark.registry import registry
from benchmark.run.units import Unit
from benchmark.training.config import build_config

DFEW = load_protocol(registry().find("protocols", "dfew-fold1"))
GROUPING = "model.cls_head.grouping"


def grouping(classes, **overrides):
    """The emotion group of each class that AEN would be trained with under a protocol with these classes."""
    protocol = override(DFEW, {"classes": classes, "groupings": []})
    unit = Unit(
        protocol=protocol,
        method="aen",
        method_version="1",
        preset="small",
        labels="hard",
        seed=0,
        fold=1,
        data="0",
        synthetic=True,
        overrides=overrides,
    )
    return list(build_config(unit, Path(), Path(), Path(), Path(), 0).model.cls_head.grouping)


def test_values_by_class_follow_the_protocols_order():
    assert grouping(list(DFEW.classes)) == [0, 2, 1, 2, 0, 2, 2]
    assert grouping(["neutral", "happy", "surprise", "sad", "angry", "disgust", "fear"]) == [1, 0, 0, 2, 2, 2, 2]


def test_values_for_other_classes_have_to_be_given():
    with pytest.raises(UsageError, match=r"happy, sad, angry, in this order, with --set model.cls_head.grouping"):
        grouping(["happy", "sad", "angry"])
    assert grouping(["happy", "sad", "angry"], **{GROUPING: [0, 1, 1]}) == [0, 1, 1]
