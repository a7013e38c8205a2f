import pytest
import torch
from mmengine.optim import StepLR

from benchmark_plugins.former_dfer import METHOD
from tests.golden import reference

OFFICIAL = "former_dfer"


@pytest.fixture(scope="module")
def loaded():
    return reference.build_official(METHOD, OFFICIAL)


def test_official_tensors_and_ours_are_the_same_set(loaded):
    reference.check_size(loaded[1], OFFICIAL, entries=169, parameters=18_031_943)


@pytest.mark.parametrize(("file", "case"), reference.cases(OFFICIAL))
def test_logits_equal_the_official_ones(loaded, file, case):
    recipe, model = loaded
    frames = reference.FRAMES[file](0, 2, 16, 112, 112)
    torch.testing.assert_close(
        reference.logits(recipe, model, frames), reference.golden_logits(OFFICIAL, file, case), atol=1e-5, rtol=1e-5
    )


def test_reversed_frames_change_the_logits(loaded):
    recipe, model = loaded
    frames = reference.make_scene_frames(0, 2, 16, 112, 112)
    change = reference.logits(recipe, model, frames.flip(1)) - reference.logits(recipe, model, frames)
    assert change.abs().max() > 1e-3


def test_recipe_is_the_official_optimiser_and_schedule(loaded):
    recipe, model = loaded
    wrapper = reference.optimizer(recipe, model)
    assert set(reference.parameter_rules(METHOD, OFFICIAL, model, wrapper).values()) == {(0.01, 1e-4)}
    [schedule] = recipe.param_scheduler
    assert schedule.pop("type") == "StepLR"
    steps = StepLR(wrapper, **schedule)
    rates = []
    for _ in range(100):
        rates += wrapper.get_lr()["lr"]
        steps.step()
    assert rates == pytest.approx([0.01] * 40 + [0.001] * 40 + [0.0001] * 20)


def test_small_preset_is_the_same_network_at_another_size():
    recipe, model = reference.build(METHOD, "small", num_classes=3)
    frames = torch.rand(2, METHOD.presets["small"].sampling.frames, 3, 32, 32)
    assert reference.logits(recipe, model, frames).shape == (2, 3)
