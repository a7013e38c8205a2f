"""`--set`: by the type of what is replaced."""

from __future__ import annotations

import pytest

from benchmark.errors import UsageError
from benchmark.units.setting_rules import check_setting, types_in

LR, MODEL = "optim_wrapper.optimizer.lr", "model.backbone.depth"
SGD = {"type": "SGD", "lr": 0.1, "nesterov": False}


@pytest.mark.parametrize(
    ("key", "old", "new"),
    [
        (LR, 0.1, 0.01),
        (LR, 0.1, 1),
        (LR, 2, 0.5),
        (MODEL, 50, 18),
        ("model.cls_head.loss_weight", 1, 0.5),
        ("model.a", True, False),
        ("model.a", "relu", "gelu"),
        ("model.a", [1, 2], [3]),
        ("model.a", [], ["anything"]),
        ("model.a", [1, "mixed"], [None]),
        ("optim_wrapper.clip_grad", {"max_norm": 40}, None),
        ("optim_wrapper.optimizer", SGD, {"type": "AdamW", "lr": 0.001, "betas": [0.9, 0.99]}),
    ],
)
def test_a_value_of_the_same_type_is_accepted(key, old, new):
    check_setting(key, old, new)


@pytest.mark.parametrize(
    ("key", "old", "new", "message"),
    [
        (LR, 0.1, "fast", f"--set {LR}=fast: must be a number like 0.1, which it replaces, not fast"),
        (LR, 0.1, "0,01", "not 0,01 (write 0.01)"),
        (LR, 0.1, True, "must be a number"),
        (LR, 0.1, None, "must be a number"),
        (LR, 0.1, [0.1], "must be a number"),
        (MODEL, 50, 18.5, "must be a whole number like 50"),
        (MODEL, 50, "18", "must be a whole number"),
        ("model.a", True, 1, "must be true or false"),
        ("model.a", "relu", 3, "must be text like relu"),
        ("model.a", [1, 2], [1, "x"], "--set model.a.1=x: must be a number"),
        ("model.a", [10, 20], 3, "must be a list"),
        ("optim_wrapper.optimizer", SGD, "SGD", "must be a mapping"),
        ("optim_wrapper.optimizer", SGD, {"lr": 0.1}, "must say its type, as SGD"),
        ("optim_wrapper.optimizer", SGD, {"type": "SGD", "lr": "x"}, "optimizer.lr=x: must be a number"),
    ],
)
def test_a_value_of_another_type_is_refused(key, old, new, message):
    with pytest.raises(UsageError) as error:
        check_setting(key, old, new)
    assert message in str(error.value)


def test_every_type_that_a_setting_names_is_found_at_any_depth():
    value = {"type": "A", "parts": [{"type": "B"}, {"x": {"type": "C"}}]}
    assert dict(types_in("model", value)) == {"model.type": "A", "model.parts.0.type": "B", "model.parts.1.x.type": "C"}
    assert dict(types_in("optimizer.type", "D")) == {"optimizer.type": "D"}
