"""What every registered method must do, whoever wrote it."""

from __future__ import annotations

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from benchmark.registry import registry
from benchmark.specs import Recipe, load_object
from benchmark.training.adapter import import_mmaction

CLASSES = 7
METHODS = sorted(registry().methods)


@pytest.fixture(scope="module", autouse=True)
def mmaction():
    import_mmaction()
    init_default_scope("mmaction")


def recipe_of(name: str, preset: str) -> Recipe:
    method = registry().methods[name]
    return load_object(method.recipe)(method.presets[preset], CLASSES)


def build(name: str, preset: str = "small"):
    import importlib

    from mmaction.registry import MODELS

    import benchmark.training.data  # noqa: F401

    recipe, chosen = recipe_of(name, preset), registry().methods[name].presets[preset]
    for module in recipe.imports:
        importlib.import_module(module)
    torch.manual_seed(0)
    preprocessor = dict(
        type="ClipPreprocessor", mean=list(chosen.mean), std=list(chosen.std), format_shape=recipe.format_shape
    )
    model = MODELS.build(Config({"model": {**recipe.model, "data_preprocessor": preprocessor}}).model)
    model.init_weights()
    return model


def batch(name: str, preset: str = "small", clips: int = 6) -> dict:
    from mmaction.structures import ActionDataSample

    recipe, chosen = recipe_of(name, preset), registry().methods[name].presets[preset]
    frames, size = chosen.sampling.frames, chosen.size
    shape = (frames, 3, size, size) if recipe.format_shape == "NCHW" else (1, 3, frames, size, size)
    torch.manual_seed(1)
    samples = []
    for clip in range(clips):
        sample = ActionDataSample().set_gt_label(clip % CLASSES)
        sample.set_field(torch.eye(CLASSES)[clip % CLASSES] * 0.8 + 0.2 / CLASSES, "target")
        sample.set_metainfo({"clip_id": str(clip)})
        samples.append(sample)
    return {
        "inputs": [torch.randint(0, 256, shape, dtype=torch.uint8) for _ in range(clips)],
        "data_samples": samples,
    }


@pytest.mark.parametrize("name", METHODS)
def test_a_method_has_both_presets_and_says_where_it_comes_from(name):
    method = registry().methods[name]
    assert set(method.presets) == {"paper", "small"}
    assert all((method.title, method.citation, method.licence, method.official_evaluation))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_a_schedule_can_be_as_short_as_one_epoch(name, epochs):
    import dataclasses

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
def test_the_loss_on_soft_targets_falls(name):
    model = build(name).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    losses = []
    for _ in range(25):
        data = model.data_preprocessor(batch(name), training=True)
        loss, _ = model.parse_losses(model(**data, mode="loss"))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("name", METHODS)
def test_every_weight_is_trained(name):
    model = build(name).train()
    data = model.data_preprocessor(batch(name), training=True)
    loss, _ = model.parse_losses(model(**data, mode="loss"))
    loss.backward()
    untouched = [key for key, parameter in model.named_parameters() if parameter.grad is None]
    assert untouched == []


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
