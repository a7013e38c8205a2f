"""Activation checkpointing keeps less, and changes no bit."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmark.registry import registry
from benchmark.training.adapter import quiet_logger
from benchmark.training.model import build_recognizer
from benchmark.training.recomputing import recompute_layers


class Layer(nn.Module):
    """With what must not happen twice: statistics, and chance."""

    def __init__(self):
        super().__init__()
        self.linear, self.norm, self.dropout = nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Dropout(0.5)

    def forward(self, x):
        return x + self.dropout(self.norm(self.linear(x)).relu())


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ModuleDict({"blocks": nn.Sequential(Layer(), Layer())})["blocks"])


def learned(model):
    torch.manual_seed(1)
    x = torch.randn(6, 4)
    loss = model.train()(x).square().mean()
    loss.backward()
    return {
        "loss": loss.detach(),
        "next": torch.rand(()),
        **dict(model.named_buffers()),
        **{name: parameter.grad for name, parameter in model.named_parameters()},
    }


def test_gradients_and_statistics_are_the_same_to_the_last_bit():
    plain, sparing = network(), network()
    assert recompute_layers(sparing) == 2
    expected, found = learned(plain), learned(sparing)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_less_is_kept():
    def kept(model):
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda each: (sizes.append(each.numel()), each)[1], lambda x: x):
            model.train()(torch.randn(600, 4))
        return sum(sizes)

    sparing = network()
    recompute_layers(sparing)
    assert kept(sparing) < kept(network()) / 2


@pytest.mark.parametrize(
    ("method", "preset", "layers"),
    [("videomae", "small", 2), ("v-naw", "small", 5), ("mae-dfer", "small", 2), ("tsm", "small", 8)],
)
def test_the_layers_of_real_networks_are_found(method, preset, layers):
    quiet_logger()
    spec = registry().methods[method]
    assert recompute_layers(build_recognizer(spec, spec.presets[preset], 7)) == layers
