import copy
import dataclasses

import numpy as np
import pytest
import torch
from mmengine.optim import CosineAnnealingLR, LinearLR
from mmengine.registry import DefaultScope

from benchmark.specs import load_object
from benchmark_plugins.videomae import METHOD
from tests.golden import reference

OFFICIAL = "videomae"
SCHEDULERS = {"LinearLR": LinearLR, "CosineAnnealingLR": CosineAnnealingLR}


@pytest.fixture(scope="module")
def loaded():
    return reference.build_official(METHOD, OFFICIAL)


def test_official_tensors_and_ours_are_the_same_set(loaded):
    reference.check_size(loaded[1], OFFICIAL, entries=162, parameters=86_232_583)


@pytest.mark.parametrize("size", [160, 224])
@pytest.mark.parametrize("file", reference.FRAMES)
def test_one_model_gives_the_official_logits_at_any_size(loaded, file, size):
    recipe, model = loaded
    frames = reference.FRAMES[file](0, 2, 16, size, size)
    torch.testing.assert_close(
        reference.logits(recipe, model, frames),
        reference.golden_logits(OFFICIAL, file, str(size)),
        atol=1e-5,
        rtol=1e-5,
    )


def test_reversed_frames_are_another_clip(loaded):
    recipe, model = loaded
    frames = reference.FRAMES["golden_scene.json"](0, 2, 16, 160, 160)[:1]
    recorded = reference.golden_logits(OFFICIAL, "golden_scene.json", "160")[:1]
    assert (reference.logits(recipe, model, frames.flip(1)) - recorded).abs().max() > 1e-3


def test_every_recorded_case_is_compared():
    assert {case for _, case in reference.cases(OFFICIAL)} == {"224", "160"}


def test_layer_decay_and_weight_decay_are_the_official_ones(loaded):
    _, model = loaded
    recipe = load_object(METHOD.recipe)(dataclasses.replace(METHOD.presets["paper"], batch_size=256), 7)
    rules = reference.parameter_rules(METHOD, OFFICIAL, model, reference.optimizer(recipe, model))
    recorded = reference.read(OFFICIAL, "golden_optim.json")["param_groups"]
    assert rules == {name: pytest.approx((5e-4 * scale, decay)) for name, scale, decay in recorded}


@pytest.mark.parametrize("layer_scale", [1.0, 0.023757264])
def test_learning_rate_follows_the_official_schedule(layer_scale):
    recorded = reference.read(OFFICIAL, "golden_optim.json")["schedule_finetune"]
    recipe, _ = reference.build(METHOD, "small", **_paper_length(batch_size=384))
    rate = dataclasses.replace(METHOD.presets["paper"], batch_size=384).scaled(recipe.optim_wrapper["optimizer"]["lr"])
    assert rate == pytest.approx(recorded["base_lr"])
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate * layer_scale)
    schedulers = [
        _by_iteration(config, optimizer, recorded["iterations_per_epoch"]) for config in recipe.param_scheduler
    ]
    rates = []
    for _ in range(recorded["epochs"] * recorded["iterations_per_epoch"]):
        rates.append(optimizer.param_groups[0]["lr"])
        for scheduler in schedulers:
            scheduler.step()
    for iteration, expected in recorded["lr_at_iteration"].items():
        assert rates[int(iteration)] == pytest.approx(expected * layer_scale, rel=1e-6, abs=1e-14), iteration


@pytest.mark.parametrize("case", reference.read(OFFICIAL, "golden_loss.json")["cases"], ids=lambda case: case["case"])
def test_loss_on_mixed_targets_is_the_official_one(case, monkeypatch):
    inputs, outputs = case["inputs"], case["outputs"]
    recipe, model = reference.build(
        METHOD, "small", model={**METHOD.presets["small"].model, "strong": True, "mixing": True, "smoothing": 0.1}
    )
    mixer = _mixing(recipe).augments[0]
    # The official code mixes the batch with itself reversed.
    monkeypatch.setattr(mixer.beta, "sample", lambda: torch.tensor(inputs["lam"]))
    monkeypatch.setattr(torch, "randperm", lambda n: torch.arange(n).flip(0))
    samples = _samples(torch.nn.functional.one_hot(torch.tensor(inputs["target"]), 7).float())
    _, samples = mixer(torch.zeros(len(samples), 1, 3, 2, 4, 4), samples)

    logits = torch.tensor(inputs["logits"]["values"]).view(-1, 7).requires_grad_()
    loss = model.cls_head.loss_by_feat(logits, samples)["loss_cls"]
    loss.backward()
    assert loss.item() == pytest.approx(outputs["loss"], abs=1e-5, rel=1e-6)
    expected = torch.tensor(outputs["grad_logits"]["values"]).view(-1, 7)
    torch.testing.assert_close(logits.grad, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("clips", [1, 4])
def test_mixing_keeps_soft_targets_distributions_and_follows_the_seeds(clips):
    recipe, _ = reference.build(
        METHOD, "small", model={**METHOD.presets["small"].model, "strong": True, "mixing": True, "smoothing": 0.1}
    )
    mixing = copy.deepcopy(recipe.mixing)
    inputs, targets = torch.rand(clips, 1, 3, 4, 16, 16), torch.rand(clips, 7).softmax(1)

    def mixed(seed):
        torch.manual_seed(seed)
        np.random.seed(seed)
        frames, samples = _mixing(recipe)(inputs.clone(), _samples(targets))
        return frames, torch.stack([sample.gt_label for sample in samples])

    results = [mixed(seed) for seed in range(10)]
    for seed, (frames, labels) in enumerate(results):
        assert all(map(torch.equal, mixed(seed), (frames, labels)))
        torch.testing.assert_close(labels.sum(1), torch.ones(clips))
        assert clips > 1 or torch.allclose(frames, inputs)
    # Building it leaves the config as it was, for whoever builds it next.
    assert recipe.mixing == mixing


def test_small_network_is_spared_the_strong_augmentation():
    recipes = {preset: load_object(METHOD.recipe)(METHOD.presets[preset], 7) for preset in METHOD.presets}
    used = {name: {step["type"] for step in recipe.train_transforms} for name, recipe in recipes.items()}
    assert used["paper"] - used["small"] == {"ClipRandAugment", "ClipErasing"}
    assert recipes["small"].mixing is None
    assert recipes["small"].model["cls_head"]["label_smooth_eps"] == 0


def test_head_starts_a_thousand_times_smaller_than_the_other_layers():
    network = {"patch": 8, "dim": 768, "depth": 1}
    _, model = reference.build(METHOD, "small", model=network)
    model.init_weights()
    assert model.cls_head.fc_cls.weight.std().item() == pytest.approx(2e-5, rel=0.2)
    assert model.backbone.blocks[0].attn.proj.weight.std().item() == pytest.approx(0.02, rel=0.2)


def test_pretrained_encoder_fits_without_its_decoder():
    keys = load_object(METHOD.networks["model"].keys)
    kept = keys(
        {"encoder.blocks.0.attn.qkv.weight": 0, "encoder.norm.weight": 1, "mask_token": 2, "decoder.head.bias": 3}
    )
    assert kept == {"backbone.blocks.0.attn.qkv.weight": 0}


def _paper_length(**changes):
    """The paper's schedule on the small network, which is quicker to build."""
    paper, small = METHOD.presets["paper"], METHOD.presets["small"]
    network = {key: small.model[key] for key in ("patch", "dim", "depth", "heads")}
    return {"epochs": paper.epochs, "model": network, **changes}


def _mixing(recipe):
    from mmaction.registry import MODELS

    with DefaultScope.overwrite_default_scope("mmaction"):
        return MODELS.build(recipe.mixing)


def _samples(targets):
    from mmaction.structures import ActionDataSample

    return [ActionDataSample().set_gt_label(target) for target in targets]


def _by_iteration(config, optimizer, epoch_length):
    options = {key: value for key, value in config.items() if key not in ("type", "convert_to_iter_based")}
    assert config["convert_to_iter_based"]
    return SCHEDULERS[config["type"]].build_iter_from_epoch(optimizer, epoch_length=epoch_length, **options)
