"""Activation checkpointing (Chen et al., 2016): what layers compute inside is not kept, but computed once more."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def recompute_layers(model: nn.Module) -> int:
    """Have the layers that a network repeats keep only what they are given; gradients are the same to the last bit.

    Layers are the members of a list or a sequence that are of one class and have parts of their own, such as the blocks
    of a transformer or of a stage of a ResNet. Gives their number.
    """
    layers = list(_layers(model))
    for layer in layers:
        layer.forward = _recomputed(layer)
    return len(layers)


def _layers(module: nn.Module) -> Iterator[Any]:
    for child in module.children():
        members = _members(child)
        if members and not any(_members(part) for member in members for part in member.children()):
            yield from members
        else:
            yield from _layers(child)


def _members(module: nn.Module) -> list[nn.Module]:
    """The layers that a list or a sequence repeats; none of anything else."""
    members = list(module.children()) if isinstance(module, (nn.ModuleList, nn.Sequential)) else []
    repeated = len({type(member) for member in members}) == 1
    return [member for member in members if sum(1 for _ in member.children()) > 1] if repeated else []


def _recomputed(layer: nn.Module) -> Any:
    forward = layer.forward

    def call(*arguments: Any, **options: Any) -> Any:
        if not torch.is_grad_enabled():
            return forward(*arguments, **options)
        # Dropout draws the same again; batch norms count what they see once.
        contexts = lambda: (contextlib.nullcontext(), _statistics_kept(layer))  # noqa: E731
        return checkpoint(forward, *arguments, use_reentrant=False, context_fn=contexts, **options)

    return call


@contextlib.contextmanager
def _statistics_kept(layer: nn.Module) -> Iterator[None]:
    norms = [each for each in layer.modules() if isinstance(each, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    counts = [count for norm in norms if (count := norm.num_batches_tracked) is not None]
    before = [count.clone() for count in counts]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for count, counted in zip(counts, before, strict=True):
            count.copy_(counted)
