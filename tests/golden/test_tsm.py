import pytest
import torch

from benchmark.specs import load_object
from benchmark_plugins.tsm import METHOD
from tests.golden import reference

OFFICIAL = "tsm"


@pytest.fixture(scope="module")
def loaded():
    return reference.build_official(METHOD, OFFICIAL)


def test_official_tensors_and_ours_are_the_same_set(loaded):
    reference.check_size(loaded[1], OFFICIAL, entries=122, parameters=11_180_103)


@pytest.mark.parametrize(("file", "case"), reference.cases(OFFICIAL))
def test_logits_equal_the_official_ones(loaded, file, case):
    recipe, model = loaded
    size = int(case[:3])
    frames = reference.FRAMES[file](0, 2, 8, size, size)
    torch.testing.assert_close(
        reference.logits(recipe, model, frames), reference.golden_logits(OFFICIAL, file, case), atol=1e-5, rtol=1e-5
    )


def test_reversed_frames_change_the_logits(loaded):
    recipe, model = loaded
    frames = reference.make_scene_frames(0, 2, 8, 112, 112)
    change = reference.logits(recipe, model, frames.flip(1)) - reference.logits(recipe, model, frames)
    assert change.abs().max() > 1e-3


def test_parameter_groups_are_the_official_ones(loaded):
    recipe, model = loaded
    rules = reference.parameter_rules(METHOD, OFFICIAL, model, reference.optimizer(recipe, model))
    recorded = reference.read(OFFICIAL, "golden_optim.json")["param_groups"]
    [scratch] = [groups for name, groups in recorded.items() if name.startswith("scratch")]
    assert rules == {name: pytest.approx((0.02 * rate, 1e-4 * decay)) for name, rate, decay in scratch}


def test_schedule_drops_after_40_and_80_percent_of_the_epochs(loaded):
    recipe, _ = loaded
    assert recipe.param_scheduler == [{"type": "MultiStepLR", "milestones": [20, 40], "gamma": 0.1}]


def test_a_torchvision_resnet_gets_the_same_names():
    keys = load_object(METHOD.networks["model"].keys)
    official = list(reference.official_state(OFFICIAL))
    torchvision = [name.replace("base_model.", "").replace(".net.", ".").replace("new_fc", "fc") for name in official]
    assert list(keys(dict.fromkeys(torchvision))) == list(keys(dict.fromkeys(official)))


def test_small_preset_is_the_same_network_at_another_width():
    recipe, model = reference.build(METHOD, "small", num_classes=3)
    assert model.state_dict().keys() == reference.build(METHOD)[1].state_dict().keys()
    frames = torch.rand(2, METHOD.presets["small"].sampling.frames, 3, 32, 32)
    assert reference.logits(recipe, model, frames).shape == (2, 3)
