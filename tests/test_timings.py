"""The timings of methods: counted memory, and official codes that the caller names."""

from __future__ import annotations

import re

import pytest
import torch

from benchmark.registry import registry
from timings import methods
from timings.memory import Memory, _kept, memory_of
from timings.steps import OtherStep, Seconds, Step, Training, as_clips, batch, trainings

ADAPTER = """
from torch.nn.functional import cross_entropy

def build(preset, num_classes):
    from standing_in import Net
    return Net(num_classes)

def loss(model, clips, targets):
    assert clips.shape[1] == 3
    return cross_entropy(model(clips), targets)
"""
CHECKOUT = """
from torch import nn

class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.fc = nn.Linear(3, classes)

    def forward(self, clips):
        return self.fc(clips.mean(dim=(2, 3, 4)))
"""


@pytest.fixture(scope="module")
def training():
    return Training("tsm", "", registry().methods["tsm"].presets["small"])


@pytest.fixture(scope="module")
def step(training):
    return Step(training, "fp32", "cpu")


def test_what_is_counted_from_shapes_is_what_a_real_step_keeps(training, step):
    counted = memory_of(training, step)
    for clips in (2, 5):
        kept, operations = _kept(training, step, clips)
        assert kept == pytest.approx(counted.fixed + clips * counted.clip, rel=1e-3)
        assert operations == pytest.approx(clips * counted.operations)


def test_a_model_whose_shapes_depend_on_values_is_counted_by_real_steps(training, step, monkeypatch):
    loss = step.loss
    monkeypatch.setattr(step, "loss", lambda inputs, samples: loss(inputs, samples) + len(inputs.nonzero()))
    assert memory_of(training, step).clip > 0


@pytest.mark.slow
def test_every_paper_preset_can_be_counted():
    for training in trainings():
        assert memory_of(training, Step(training, "fp32", "cpu")).clip > 0, training.name


def test_the_optimisers_state_is_counted_as_it_is_kept(training, step):
    inputs, samples = batch(training, step.recipe, 2, "cpu")
    step.optimiser.update_params(step.loss(inputs, samples))
    state = [value for kept in step.optimiser.optimizer.state.values() for value in kept.values()]
    own = [*step.model.parameters(), *step.model.buffers()]
    gradients = [each for each in step.model.parameters() if each.requires_grad]
    tensors = [*own, *gradients, *(value for value in state if isinstance(value, torch.Tensor) and value.ndim)]
    expected = sum(each.numel() * each.element_size() for each in tensors)
    assert memory_of(training, step).model == pytest.approx(expected, rel=1e-3)


def test_as_many_clips_fit_as_their_sum_says():
    memory = Memory(model=2**30, fixed=0, clip=2**30, operations=1.0)
    assert memory.of(4) == 5 * 2**30 and memory.most_clips == 21
    assert Memory(model=2**40, fixed=0, clip=2**30, operations=1.0).most_clips == 0


def test_clips_are_the_same_whichever_way_a_model_takes_them():
    frames_first, channels_first = torch.zeros(2, 8, 3, 4, 4), torch.zeros(2, 1, 3, 8, 4, 4)
    assert as_clips(frames_first).shape == as_clips(channels_first).shape == (2, 3, 8, 4, 4)


def measure(training, step, official, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("timings.steps.matmul_peak", lambda precision, device: 1e12)
    choices = methods.Choices("cpu", threads=1, clips=1, times=1, memory_only=False)
    return methods.steps_of(training, step, "fp32", choices, official, 1e9)


def test_there_is_a_ratio_to_an_official_code_that_takes_its_own_steps(training, step, tmp_path, monkeypatch):
    checkout, adapter = tmp_path / "checkout", tmp_path / "tsm.py"
    checkout.mkdir()
    (checkout / "standing_in.py").write_text(CHECKOUT)
    adapter.write_text(ADAPTER)
    name, official = methods.official_of(f"tsm={checkout}:{adapter}")
    assert name == "tsm"
    cells = measure(training, step, official, monkeypatch, tmp_path)
    seconds, theirs, ratio = float(cells[0]), float(cells[3]), float(cells[4].split()[0])
    # The stand-in is one small layer.
    assert len(cells) == 5 and theirs < seconds and ratio < 1


class Silent(torch.nn.Linear):
    """A network whose `train` gives nothing back, as that of the official TSM."""

    def train(self, mode=True):
        super().train(mode)


def test_an_official_codes_step_has_our_optimiser_and_clips_gradients_as_ours(step):
    network = Silent(2, 2)
    other = OtherStep(network, lambda model, clips, targets: 1e6 * model(clips).sum(), "fp32", "cpu", like=step)
    assert network.training
    settings = [each.defaults for each in (other.optimiser, step.optimiser.optimizer)]
    assert [settings[0][name] for name in ("lr", "momentum", "weight_decay")] == [
        settings[1][name] for name in ("lr", "momentum", "weight_decay")
    ]
    other(torch.ones(1, 2), torch.zeros(1, 2))
    gradients = torch.cat([each.grad.flatten() for each in network.parameters()])
    assert gradients.norm() == pytest.approx(20, rel=1e-3)


def test_a_ratio_is_the_median_of_what_each_two_steps_took():
    ours, theirs = ([Seconds(clock=9.0, own=own) for own in each] for each in ([1.0, 1.0, 2.0], [3.0, 2.0, 2.0]))
    assert methods.ratio(ours, theirs) == "2.00 (1.00 .. 3.00)"


def test_a_step_on_an_accelerator_has_the_optimiser_that_the_harness_has_there(training):
    step = Step(training, "fp32", "cpu")
    assert not step.optimiser.optimizer.defaults.get("fused")
    step.move_to("meta")
    assert step.optimiser.optimizer.defaults["fused"]
    learned = [each for group in step.optimiser.optimizer.param_groups for each in group["params"]]
    assert {each.device.type for each in learned} == {"meta"}


def test_there_is_no_ratio_without_an_official_code(training, step, tmp_path, monkeypatch):
    cells = measure(training, step, None, monkeypatch, tmp_path)
    assert len(cells) == 3 and re.fullmatch(r"\d+%", cells[1])


@pytest.mark.parametrize(
    ("text", "message"),
    [("tsm=nowhere", "nowhere is no folder"), ("c3d=.", "there is no adapter"), ("tsm=.:other.py", "other.py")],
)
def test_a_missing_checkout_or_adapter_is_named(text, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=message):
        methods.official_of(text)
