"""How a model computes: its network autocast and compiled as was chosen, its classifier and losses in float32.

Training, validation and prediction call the model in the same way, so they compute alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only

from benchmark.units.computing import Computing

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
# What a recognizer asks its classifier for.
_CALLS = ("forward", "loss", "predict")


def compute_in(model: nn.Module, computing: Computing) -> None:
    """Have the model compute as was chosen, in place; in fp32 and tf32 nothing is changed.

    Autocast, a recognizer's `cls_head` is left in float32 and is given float32: logits and what is made of them
    (softmax, logarithms, losses, probabilities) do not bear rounding to eight bits. The losses of models without one
    are computed in float32 by autocast itself (mean squared errors, cross-entropies), from what the network gave.
    """
    if computing.compile:
        for name, part in model.named_children():
            if name not in ("data_preprocessor", "cls_head"):
                part.compile()
    kind = AUTOCAST.get(computing.precision)
    if kind is None:
        return
    head = getattr(model, "cls_head", None)
    for name in _CALLS if isinstance(head, nn.Module) else ():
        setattr(head, name, _in_float32(getattr(head, name)))
    model.forward = _autocast(model.forward, kind)


def _autocast(function: Callable[..., Any], kind: torch.dtype) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        with torch.autocast(_device_of(arguments, options), dtype=kind):
            return function(*arguments, **options)

    return call


def _in_float32(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        with torch.autocast(_device_of(arguments, options), enabled=False):
            return function(*tree_map_only(Tensor, _widened, arguments), **tree_map_only(Tensor, _widened, options))

    return call


def _device_of(*values: Any) -> str:
    return next(value.device.type for value in tree_leaves(values) if isinstance(value, Tensor))


def _widened(values: Tensor) -> Tensor:
    return values.float() if values.dtype in AUTOCAST.values() else values
