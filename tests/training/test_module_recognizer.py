"""A plain torch module as a method: what it is given, what it learns from, and which weights it takes."""

from __future__ import annotations

import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from benchmark.errors import UsageError
from benchmark.fence import PluginFault
from benchmark.module_recipe import inside, module_network, module_recipe
from benchmark.specs import MethodSpec, Preset, Sampling
from benchmark.training.checkpoints import load_networks
from benchmark.training.model import logits
from benchmark.training.trial import Trial
from benchmark.units.setting_rules import check_allowed

PRESET = Preset(size=8, sampling=Sampling(4), epochs=2, batch_size=4, model={"width": 5})


class Net(nn.Module):
    def __init__(self, num_classes, width):
        super().__init__()
        self.hidden = nn.Linear(3, width)
        self.fc = nn.Linear(width, num_classes)
        self.seen = None

    def forward(self, clips):
        self.seen = clips
        time = 1 if clips.shape[2] == 3 else 2
        return self.fc(self.hidden(clips.mean(dim=(time, 3, 4))))


def trial(clip="CTHW"):
    return Trial(module_recipe(f"{__name__}:Net", PRESET, 7, clip=clip), PRESET, 7)


@pytest.mark.parametrize(("clip", "shape"), [("CTHW", (2, 3, 4, 8, 8)), ("TCHW", (2, 4, 3, 8, 8))])
def test_clips_come_in_the_order_that_is_asked_for_and_normalised(clip, shape):
    made = trial(clip)
    batch = made.clips(2)
    made.scores(batch)
    seen = made.model.network.seen
    assert seen.shape == shape
    pixels = torch.stack(batch["inputs"]).reshape(shape).float()
    channels = 1 if clip == "CTHW" else 2
    mean, std = (torch.tensor(v).view([3 if d == channels else 1 for d in range(5)]) for v in (PRESET.mean, PRESET.std))
    torch.testing.assert_close(seen, (pixels - mean) / std)


def test_the_loss_is_cross_entropy_to_each_clips_distribution():
    made = trial()
    batch = made.clips(3, soft=0.4)
    expected = torch.stack([sample.target for sample in batch["data_samples"]])
    loss = made.loss(batch)
    torch.testing.assert_close(loss, F.cross_entropy(made.model.network(made.model.network.seen), expected))


def test_scores_are_the_softmax_of_its_logits():
    made = trial()
    scores = torch.tensor(made.scores(made.clips(3)))
    seen = made.model.network.seen
    torch.testing.assert_close(scores, made.model.network(seen).softmax(dim=1).detach())
    torch.testing.assert_close(logits(made.model, seen.transpose(1, 2)).softmax(dim=1), scores)


def test_weights_of_the_plain_module_are_read_and_its_classifier_put_in_order(tmp_path):
    method = MethodSpec(
        "mine",
        "Mine",
        "me",
        "MIT",
        f"{__name__}:recipe",
        {"small": PRESET},
        "none",
        networks={"model": module_network("fc")},
    )
    plain = Net(7, 5)
    torch.save(plain.state_dict(), tmp_path / "plain.pth")
    made = trial()
    report = load_networks(made.model, method, {"model": tmp_path / "plain.pth"}, classes=list("abcdefg"))["model"]
    assert not report.missing and not report.unexpected
    assert set(report.classifier) == {"network.fc.weight", "network.fc.bias"}
    assert made.model.state_dict().keys() == inside(plain.state_dict()).keys()
    torch.testing.assert_close(made.model.network.fc.weight, plain.fc.weight)


def test_what_is_no_module_is_named():
    recipe = module_recipe(f"{__name__}:module_recipe", PRESET, 7)
    with pytest.raises(PluginFault, match="module_recipe"):
        Trial(dataclasses.replace(recipe, imports=[]), PRESET, 7)


def test_no_setting_chooses_which_module_is_imported():
    with pytest.raises(UsageError, match="'module' cannot be set: code comes with a plugin"):
        check_allowed("--set", "model.module", "os:system")
