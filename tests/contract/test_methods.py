"""What every registered method must do, whoever wrote it."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.registry import init_default_scope

from benchmark.registry import registry
from benchmark.specs import Preset, Recipe, load_object
from benchmark.training.model import build_recipe, build_recognizer
from benchmark.training.unit import count_operations

CLASSES = 7
METHODS = sorted(registry().methods)


@pytest.fixture(scope="module", autouse=True)
def mmaction():
    init_default_scope("mmaction")


def recipe_of(name: str, preset: str) -> Recipe:
    method = registry().methods[name]
    return load_object(method.recipe)(method.presets[preset], CLASSES)


def build(name: str, preset: str = "small"):
    method = registry().methods[name]
    torch.manual_seed(0)
    model = build_recognizer(method, method.presets[preset], CLASSES)
    model.init_weights()
    return model


def inputs_for(recipe: Recipe, preset: Preset, clips: int) -> list[torch.Tensor]:
    frames, size = preset.sampling.frames, preset.size
    shape = (frames, 3, size, size) if recipe.format_shape == "NCHW" else (1, 3, frames, size, size)
    return [torch.randint(0, 256, shape, dtype=torch.uint8) for _ in range(clips)]


def batch(name: str, clips: int = 6) -> dict:
    """Clips of noise, with the softest targets that the method learns from."""
    method = registry().methods[name]
    torch.manual_seed(1)
    soft = 0.2 if "soft" in method.label_modes else 0.0
    samples = []
    for clip in range(clips):
        sample = ActionDataSample().set_gt_label(clip % CLASSES)
        sample.set_field(torch.eye(CLASSES)[clip % CLASSES] * (1 - soft) + soft / CLASSES, "target")
        sample.set_metainfo({"clip_id": str(clip)})
        samples.append(sample)
    return {"inputs": inputs_for(recipe_of(name, "small"), method.presets["small"], clips), "data_samples": samples}


@pytest.mark.parametrize("name", METHODS)
def test_what_a_method_needs_are_networks_of_its_own(name):
    assert registry().methods[name].needs.keys() <= registry().methods[name].networks.keys()


@pytest.mark.parametrize("name", METHODS)
def test_a_method_has_both_presets_and_says_where_it_comes_from(name):
    method = registry().methods[name]
    assert {"paper", "small"} <= set(method.presets)
    assert all((method.title, method.citation, method.licence, method.official_evaluation))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_a_schedule_can_be_as_short_as_one_epoch(name, epochs):
    from mmengine.optim.scheduler import _ParamScheduler
    from mmengine.registry import PARAM_SCHEDULERS

    method = registry().methods[name]
    recipe = load_object(method.recipe)(dataclasses.replace(method.presets["paper"], epochs=epochs), CLASSES)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    for config in recipe.param_scheduler:
        config = dict(config)
        scheduler = PARAM_SCHEDULERS.get(config.pop("type"))
        if config.pop("convert_to_iter_based", False):
            built = scheduler.build_iter_from_epoch(optimizer=optimizer, epoch_length=3, **config)
        else:
            built = scheduler(optimizer=optimizer, **config)
        assert isinstance(built, _ParamScheduler)


@pytest.mark.parametrize("name", METHODS)
def test_predictions_are_distributions_and_repeat(name):
    model = build(name).eval()
    with torch.inference_mode():
        first = torch.stack([sample.pred_score for sample in model.test_step(batch(name))])
        again = torch.stack([sample.pred_score for sample in model.test_step(batch(name))])
    assert first.shape == (6, CLASSES)
    assert torch.allclose(first.sum(dim=1), torch.ones(6), atol=1e-5)
    assert torch.equal(first, again)


@pytest.mark.parametrize("name", METHODS)
def test_a_clips_prediction_does_not_depend_on_its_batch(name):
    model, data = build(name).eval(), batch(name)
    alone = {key: values[:1] for key, values in batch(name).items()}
    with torch.inference_mode():
        together = model.test_step(data)[0].pred_score
        assert torch.allclose(model.test_step(alone)[0].pred_score, together, atol=1e-5)


@pytest.mark.parametrize("name", METHODS)
def test_the_loss_falls(name):
    model = build(name).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    losses = [step(model, optimizer, batch(name)) for _ in range(25)]
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("name", METHODS)
def test_every_weight_that_is_not_frozen_is_trained(name):
    model = build(name).train()
    data = model.data_preprocessor(batch(name), training=True)
    loss, _ = model.parse_losses(model(**data, mode="loss"))
    loss.backward()
    untouched = [key for key, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert untouched == []


def step(model, optimizer, data) -> float:
    """One training step; the loss before it."""
    data = model.data_preprocessor(data, training=True)
    loss, _ = model.parse_losses(model(**data, mode="loss"))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@pytest.mark.parametrize("name", METHODS)
def test_frozen_weights_stay_as_they_are(name):
    model = build(name).train()
    before = {key: p.clone() for key, p in model.named_parameters() if not p.requires_grad}
    step(model, torch.optim.SGD(model.parameters(), lr=0.1), batch(name))
    assert all(torch.equal(p, before[key]) for key, p in model.named_parameters() if key in before)


@pytest.mark.parametrize("name", METHODS)
def test_the_stated_size_is_the_models(name):
    check_size(name, "small")


LARGE = [(name, preset) for name in METHODS for preset in registry().methods[name].presets if preset != "small"]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "preset"), LARGE)
def test_the_stated_size_is_the_large_models(name, preset):
    check_size(name, preset)


def check_size(name, chosen):
    preset, model = registry().methods[name].presets[chosen], build(name, chosen).eval()
    assert sum(p.numel() for p in model.parameters()) == preset.parameters
    clip = {"inputs": inputs_for(recipe_of(name, chosen), preset, 1), "data_samples": batch(name, 1)["data_samples"]}
    with torch.inference_mode():
        assert count_operations(model, clip) / 1e9 == pytest.approx(preset.gflops, abs=6e-4)


PRETRAININGS = [(name, stage) for name in METHODS for stage in registry().methods[name].pretrainings]


@pytest.mark.parametrize(("name", "stage"), PRETRAININGS)
def test_a_pre_training_learns_and_the_method_starts_from_it(name, stage):
    method = registry().methods[name]
    pretraining = method.pretrainings[stage]
    preset = pretraining.presets["small"]
    assert {"paper", "small"} <= set(pretraining.presets)
    classes = 0 if pretraining.data == "videos" else CLASSES
    recipe = load_object(pretraining.recipe)(preset, classes)
    torch.manual_seed(0)
    model = build_recipe(recipe, preset)
    model.init_weights()
    data = batch(name)
    data["inputs"] = [clip // 32 * 32 for clip in inputs_for(recipe, preset, 6)]
    if not classes:
        for sample in data["data_samples"]:
            del sample.target
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    losses = [step(model.train(), optimizer, data) for _ in range(20)]
    assert losses[-1] < losses[0]

    exported = load_object(pretraining.export)(model.state_dict())
    # A pre-training of another encoder is for the method with that encoder.
    same = dataclasses.replace(method.presets["small"], model={**method.presets["small"].model, **preset.model})
    own = build_recognizer(method, same, CLASSES).state_dict()
    assert exported
    assert {key: value.shape for key, value in exported.items()} == {
        key: own[key].shape for key in exported if key in own
    }


@pytest.mark.parametrize("name", METHODS)
def test_weights_survive_being_saved(name, tmp_path):
    from safetensors.torch import load_file, save_file

    model = build(name)
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    other = build(name)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    other.load_state_dict(load_file(tmp_path / "w.safetensors"))
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True))
