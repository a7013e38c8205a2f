import pytest
import torch
from mmengine.optim import CosineAnnealingLR, LinearLR

from benchmark.specs import load_object
from benchmark_plugins.m3dfel import METHOD
from tests.golden import reference
from tests.golden.fill import rand_tensor

OFFICIAL = "m3dfel"
# Without this the attention is almost even and the normalisation hardly matters to the logits.
BOOSTED = {
    "lstm.weight_ih": 3.0,
    "lstm.weight_hh": 2.0,
    "to_qkv.weight": 16.0,
    "norm.weight": 32.0,
    "norm.mean_weight": 10.0,
    "norm.var_weight": 10.0,
}
SCHEDULERS = {"LinearLR": LinearLR, "CosineAnnealingLR": CosineAnnealingLR}
LOSSES = {case["case"]: case for case in reference.read(OFFICIAL, "golden_loss.json")["cases"]}
NORMALISATIONS = [name for name in LOSSES if name.startswith("dmin")]
SMOOTHED = [name for name in LOSSES if name.startswith("lsce")]


@pytest.fixture(scope="module")
def official():
    return reference.official_state(OFFICIAL)


@pytest.fixture(scope="module")
def loaded(official):
    recipe, model = reference.build(METHOD)
    model.load_state_dict(ours(official, "default"), strict=True)
    return recipe, model


def ours(official, case):
    factors = BOOSTED if case == "boosted head" else {}
    state = {
        key: tensor * next((factor for prefix, factor in factors.items() if key.startswith(prefix)), 1)
        for key, tensor in official.items()
    }
    return load_object(METHOD.networks["model"].keys)(state)


def test_official_tensors_and_ours_are_the_same_set(loaded):
    _, model = loaded
    recorded = reference.read(OFFICIAL, "state_dict.json")
    assert len(model.state_dict()) == recorded["n_entries"] == 145
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == recorded["n_parameters"] == 46_823_384


@pytest.mark.parametrize(("file", "case"), reference.cases(OFFICIAL))
def test_logits_equal_the_official_ones(official, loaded, file, case):
    recipe, model = loaded
    model.load_state_dict(ours(official, case), strict=True)
    frames = reference.FRAMES[file](0, 2, 16, 112, 112)
    torch.testing.assert_close(
        reference.logits(recipe, model, frames), reference.golden_logits(OFFICIAL, file, case), atol=1e-6, rtol=1e-6
    )


def test_reversed_frames_change_the_logits(official, loaded):
    recipe, model = loaded
    model.load_state_dict(ours(official, "boosted head"), strict=True)
    frames = reference.make_scene_frames(0, 1, 16, 112, 112)
    both = reference.logits(recipe, model, torch.cat([frames, frames.flip(1)]))
    assert both.shape == (2, 7)
    assert (both[0] - both[1]).abs().max() > 1e-3


@pytest.mark.parametrize("name", NORMALISATIONS)
def test_normalisation_and_its_gradients_are_the_official_ones(name):
    reference.build(METHOD, "small")
    from benchmark_plugins.m3dfel.model import DMIN

    batch, bag, channels = LOSSES[name]["inputs"]["shape_batch_bag_channels"]
    norm = DMIN(channels)
    with torch.no_grad():
        norm.weight.copy_(1 + 0.1 * rand_tensor(f"{name}.weight", (1, channels, 1), 0))
        norm.bias.copy_(0.1 * rand_tensor(f"{name}.bias", (1, channels, 1), 0))
        norm.mean_weight.copy_(rand_tensor(f"{name}.mean_weight", (2,), 0))
        norm.var_weight.copy_(rand_tensor(f"{name}.var_weight", (2,), 0))
    x = rand_tensor(f"{name}.x", (batch, bag, channels), 0, scale=2.0).requires_grad_()
    y = norm(x)
    y.backward(rand_tensor(f"{name}.g", (batch, bag, channels), 0))
    outputs = LOSSES[name]["outputs"]
    for found, key in (
        (y, "y"),
        (x.grad, "grad_x"),
        (norm.mean_weight.grad, "grad_mean_weight"),
        (norm.var_weight.grad, "grad_var_weight"),
    ):
        assert list(found.shape) == outputs[key]["shape"]
        found = found.detach().flatten()
        if "values" in outputs[key]:
            torch.testing.assert_close(found, torch.tensor(outputs[key]["values"]), atol=1e-5, rtol=1e-5)
        else:
            expected = torch.tensor(outputs[key]["first8"] + outputs[key]["last8"])
            torch.testing.assert_close(torch.cat([found[:8], found[-8:]]), expected, atol=1e-5, rtol=1e-5)
            assert found.norm().item() == pytest.approx(outputs[key]["l2"], rel=1e-5)


@pytest.mark.parametrize("name", SMOOTHED)
def test_loss_is_the_official_smoothed_cross_entropy(name):
    from mmaction.structures import ActionDataSample

    _, model = reference.build(METHOD, "small")
    inputs, outputs = LOSSES[name]["inputs"], LOSSES[name]["outputs"]
    logits = torch.tensor(inputs["logits"]["values"]).view(inputs["logits"]["shape"]).requires_grad_()
    samples = [ActionDataSample(gt_label=torch.eye(7)[target]) for target in inputs["target"]]
    loss = model.cls_head.loss_by_feat(logits, samples)["loss_cls"]
    assert loss.item() == pytest.approx(outputs["loss"], rel=1e-5)
    [gradient] = torch.autograd.grad(loss, logits)
    torch.testing.assert_close(gradient.flatten(), torch.tensor(outputs["grad_logits"]["values"]), atol=1e-6, rtol=1e-5)


def test_one_rate_and_weight_decay_for_all(loaded):
    recipe, model = loaded
    rules = reference.parameter_rules(METHOD, OFFICIAL, model, reference.optimizer(recipe, model))
    assert set(rules.values()) == {(5e-4, 0.05)}


def test_learning_rate_rises_for_20_epochs_and_falls_as_a_cosine():
    recipe, _ = reference.build(METHOD, "small", epochs=300, batch_size=256, model={"width": 8, "hidden": 32})
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=recipe.optim_wrapper["optimizer"]["lr"])
    schedulers = [
        SCHEDULERS[config.pop("type")].build_iter_from_epoch(optimizer, epoch_length=2, **config)
        for config in ({k: v for k, v in c.items() if k != "convert_to_iter_based"} for c in recipe.param_scheduler)
    ]
    rates = []
    for _ in range(600):
        rates.append(optimizer.param_groups[0]["lr"])
        for scheduler in schedulers:
            scheduler.step()
    assert rates[0] < 1e-15
    assert rates[20] == pytest.approx(2.5e-4, rel=0.03)
    assert max(rates) == pytest.approx(5e-4)
    assert rates[40:].index(max(rates)) <= 1
    assert rates[-1] == pytest.approx(5e-6, rel=0.01)


def test_a_torchvision_resnet_gets_the_same_names():
    keys = load_object(METHOD.networks["model"].keys)
    official = [name for name in reference.official_state(OFFICIAL) if name.startswith("features.")]
    torchvision = [f"stem{name[10:]}" if name[9] == "0" else f"layer{name[9:]}" for name in official]
    assert list(keys(dict.fromkeys(torchvision))) == list(keys(dict.fromkeys(official)))


def test_small_preset_is_the_same_network_at_another_width(loaded):
    recipe, model = reference.build(METHOD, "small", num_classes=3)
    assert model.state_dict().keys() == loaded[1].state_dict().keys()
    small = METHOD.presets["small"]
    frames = torch.rand(1, small.sampling.frames, 3, small.size, small.size)
    assert reference.logits(recipe, model, frames).shape == (1, 3)
