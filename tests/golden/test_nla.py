"""NLA's image classifiers: V-NAW's declared pre-training."""

import dataclasses
import importlib

import numpy as np
import pytest
import torch
from mmengine.optim import ExponentialLR
from mmengine.registry import DefaultScope

from benchmark.specs import load_object
from benchmark.training.adapter import import_mmaction
from benchmark_plugins.v_naw import METHOD
from benchmark_plugins.v_naw.nla_recipe import export
from benchmark_plugins.v_naw.recipe import official_keys
from tests.golden import reference
from tests.golden.fill import filled_state_dict

# Pre-training, encoder, recorded under, state dict, case, image size.
CLASSIFIERS = {
    "swin": ("swin", "swin", "v_naw", "state_dict_swin_image.json", "SwinTransFER image classifier", 112),
    "resnet18": ("resnet", "resnet18", "nla", "state_dict_r18.json", "NLA_r18", 224),
    "resnet50": ("resnet", "resnet50", "nla", "state_dict_r50.json", "NLA_r50", 224),
}


def build(name, preset=None, num_classes=7, **changes):
    import_mmaction()
    from mmaction.registry import MODELS

    pretraining = METHOD.pretrainings[name]
    # The official Swin is of the size that the official video network has.
    preset = preset or ("official" if name == "swin" else "paper")
    recipe = load_object(pretraining.recipe)(dataclasses.replace(pretraining.presets[preset], **changes), num_classes)
    for module in recipe.imports:
        importlib.import_module(module)
    with DefaultScope.overwrite_default_scope("mmaction"):
        return recipe, MODELS.build(recipe.model).eval()


def our_name(key):
    """Of a tensor of an official image classifier."""
    for theirs, ours in (("norm.", "backbone.image_norm."), ("embed.", "cls_head.embed.")):
        if key.startswith(theirs):
            return ours + key.removeprefix(theirs)
    if key.startswith(("head.", "fc.")):
        return f"cls_head.fc_cls.{key.partition('.')[2]}"
    [ours] = official_keys({key: None})
    return ours


@pytest.fixture(scope="module", params=CLASSIFIERS)
def loaded(request):
    name, encoder, folder, file, *_ = CLASSIFIERS[request.param]
    recipe, model = build(name, model={"encoder": encoder})
    recorded = reference.read(folder, file)
    empty = {key: torch.zeros(shape, dtype=getattr(torch, kind)) for key, shape, kind in recorded["entries"]}
    state = {our_name(key): tensor for key, tensor in filled_state_dict(empty, 0).items()}
    model.load_state_dict(state, strict=True)
    return request.param, recipe, model, recorded


def test_official_tensors_and_ours_are_the_same_set(loaded):
    _, _, model, recorded = loaded
    assert len(model.state_dict()) == recorded["n_entries"]
    assert sum(p.numel() for p in model.parameters()) == recorded["n_parameters"]
    unused = {our_name(key) for key in recorded["unused_by_forward"]}
    assert {name for name, parameter in model.named_parameters() if not parameter.requires_grad} == unused


def test_encoder_of_an_official_classifier_is_the_video_networks(loaded):
    name, _, _, recorded = loaded
    _, video = reference.build(METHOD, "official", model={"encoder": CLASSIFIERS[name][1]})
    encoder = {key for key in video.state_dict() if key.startswith("backbone.")}
    assert official_keys({key: None for key, *_ in recorded["entries"]}).keys() == encoder


@pytest.mark.parametrize("file", reference.FRAMES)
def test_logits_equal_the_official_ones(loaded, file):
    name, recipe, model, _ = loaded
    _, _, folder, _, case, size = CLASSIFIERS[name]
    images = reference.FRAMES[file](0, 2, 1, size, size)
    torch.testing.assert_close(
        reference.logits(recipe, model, images)[:, 0],
        reference.golden_logits(folder, file, case),
        atol=1e-5,
        rtol=1e-5,
    )


@pytest.mark.parametrize(
    "case",
    [case for case in reference.read("nla", "golden_loss.json")["cases"] if case["case"] != "constants"],
    ids=lambda case: case["case"],
)
def test_official_loss_and_its_gradients(case):
    _, model = build("swin", "small")
    loss, inputs, outputs = model.cls_head.loss_cls, case["inputs"], case["outputs"]
    logits, flipped = (
        torch.tensor(inputs[name]["values"]).view(-1, 7).requires_grad_()
        for name in ("logits", "logits_of_flipped_image")
    )
    loss.set_epoch(inputs["epoch_index"], 60)
    labels = torch.tensor(inputs["target"])
    losses = loss(logits, torch.nn.functional.one_hot(labels, 7).float(), flipped)
    sum(losses.values()).backward()
    assert sum(losses.values()).item() == pytest.approx(outputs["loss"], abs=1e-5)
    assert losses["loss_agreement"].item() == pytest.approx(outputs["lam_c*jsd"], abs=1e-5)
    assert loss.growth == pytest.approx(outputs["eps"], abs=1e-6)
    weighted = loss.weights(logits.softmax(1), labels) * torch.nn.functional.cross_entropy(
        logits, labels, reduction="none"
    )
    torch.testing.assert_close(weighted, torch.tensor(outputs["naw_per_sample"]["values"]), atol=1e-5, rtol=0)
    for tensor, name in ((logits, "grad_logits"), (flipped, "grad_logits_of_flipped_image")):
        torch.testing.assert_close(tensor.grad.flatten(), torch.tensor(outputs[name]["values"]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", METHOD.pretrainings)
def test_the_loss_of_a_batch_compares_each_image_with_its_mirror_image(name):
    from mmaction.structures import ActionDataSample

    _, model = build(name, "small")
    images = torch.rand(2, 1, 3, 32, 32)
    samples = [ActionDataSample().set_gt_label(torch.eye(7)[label]) for label in (1, 4)]
    losses = model(images, samples, mode="loss")
    assert losses["loss_agreement"] > 1e-6
    symmetric = torch.cat([images, images.flip(-1)], dim=-1)[..., 16:48]
    assert model(symmetric, samples, mode="loss")["loss_agreement"].abs() < 1e-6
    assert model(images, samples, mode="predict")[0].pred_score.shape == (7,)


@pytest.mark.parametrize("name", METHOD.pretrainings)
def test_what_is_trained_starts_the_video_network(name):
    _, classifier = build(name, "small")
    preset = METHOD.presets["small"]
    encoder = METHOD.pretrainings[name].presets["small"].model.get("encoder", "swin")
    _, video = reference.build(METHOD, "small", model={**preset.model, "encoder": encoder})
    exported = export(classifier.state_dict())
    result = video.load_state_dict(exported, strict=False)
    assert not result.unexpected_keys
    fresh = ("neck.", "cls_head.", "backbone.norm.", "backbone.feature.")
    assert all(key.startswith(fresh) for key in result.missing_keys)


def test_recipe_is_the_official_optimiser_and_schedule():
    small = METHOD.pretrainings["swin"].presets["small"].model
    recipe, model = build("swin", "small", model={"swin": small["swin"]})
    wrapper = reference.optimizer(recipe, model)
    assert type(wrapper.optimizer) is torch.optim.Adam
    assert {(group["lr"], group["weight_decay"]) for group in wrapper.optimizer.param_groups} == {(1e-4, 1e-4)}
    [config] = recipe.param_scheduler
    schedule = ExponentialLR(wrapper, **{key: value for key, value in config.items() if key != "type"})
    for epoch in range(5):
        assert wrapper.get_lr()["lr"] == pytest.approx([1e-4 * 0.9**epoch])
        schedule.step()


def test_noise_has_the_official_variance_and_is_added_to_half_of_the_images():
    import_mmaction()
    from benchmark_plugins.v_naw.nla import PixelNoise

    np.random.seed(0)
    grey = np.full((64, 64, 3), 128, dtype=np.uint8)
    changes = [PixelNoise()({"imgs": [grey]})["imgs"][0].astype(float) - 128 for _ in range(100)]
    variances = [change.var() for change in changes if change.any()]
    assert 35 < len(variances) < 65
    assert np.mean(variances) == pytest.approx(30, rel=0.05)
