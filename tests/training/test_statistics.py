"""Batch norms over parts of a batch, as on several cards."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from benchmark.errors import UsageError
from benchmark.registry import registry
from benchmark.training.statistics import PartStatistics
from benchmark.units.presets import chosen_preset


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5))


def divided(model, clips, batch):
    hook = PartStatistics(clips)
    hook.before_train(SimpleNamespace(model=model))
    hook.before_train_iter(None, 0, {"inputs": [None] * batch})
    return model


def test_each_part_is_normalised_by_itself_and_gradients_reach_all_of_them():
    x = torch.randn(8, 3)
    plain, parted = network(), divided(network(), 4, 8)
    expected = torch.cat([plain(x[:4]), plain(x[4:])])
    torch.testing.assert_close(parted(x), expected)
    torch.testing.assert_close(parted[1].running_mean, plain[1].running_mean)
    parted(x).square().sum().backward()
    assert parted[0].weight.grad.abs().sum() > 0


def test_the_frames_of_a_clip_stay_together():
    frames = torch.randn(8 * 6, 3)
    plain, parted = network(), divided(network(), 2, 8)
    torch.testing.assert_close(parted(frames), torch.cat([plain(part) for part in frames.split(12)]))


@pytest.mark.parametrize(("clips", "batch"), [(8, 8), (64, 8)])
def test_a_batch_of_no_more_clips_is_taken_as_a_whole(clips, batch):
    x = torch.randn(batch, 3)
    torch.testing.assert_close(divided(network(), clips, batch)(x), network()(x))


def test_prediction_is_not_changed():
    x = torch.randn(8, 3)
    torch.testing.assert_close(divided(network(), 2, 8).eval()(x), network().eval()(x))


def test_a_batch_that_does_not_divide_is_refused():
    m3dfel = registry().methods["m3dfel"]
    assert chosen_preset(m3dfel, "paper", {}, "dfew").statistics == 64
    assert chosen_preset(m3dfel, "paper", {"batch_size": 16}, "dfew").statistics == 64
    with pytest.raises(UsageError, match="100 cannot be divided into parts of 64"):
        chosen_preset(m3dfel, "paper", {"batch_size": 100}, "dfew")
    assert chosen_preset(m3dfel, "paper", {"batch_size": 100, "statistics": None}, "dfew").statistics is None
