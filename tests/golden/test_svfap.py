import dataclasses

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import CosineAnnealingLR, LinearLR
from mmengine.registry import DefaultScope

from benchmark.specs import load_object
from benchmark.training.adapter import import_mmaction
from benchmark_plugins.svfap import METHOD
from tests.golden import reference

OFFICIAL = "svfap"
SCHEDULERS = {"LinearLR": LinearLR, "CosineAnnealingLR": CosineAnnealingLR}
MASKED = METHOD.pretrainings["masked"]


@pytest.fixture(scope="module")
def loaded():
    return reference.build_official(METHOD, OFFICIAL)


@pytest.fixture
def masked():
    return build_masked()


def build_masked(**encoder):
    import_mmaction()
    from mmaction.registry import MODELS

    import benchmark_plugins.svfap.masked  # noqa: F401

    recipe = load_object(MASKED.recipe)(MASKED.presets["small"], 0)
    model = {**recipe.model, "encoder": {**recipe.model["encoder"], **encoder}}
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("mmaction"):
        built = MODELS.build(Config({"model": model}).model)
    built.init_weights()
    return built.eval()


def test_official_tensors_and_ours_are_the_same_set(loaded):
    reference.check_size(loaded[1], OFFICIAL, entries=385, parameters=77_635_351)


def test_logits_equal_the_official_ones(loaded):
    recipe, model = loaded
    frames = reference.make_scene_frames(0, 2, 16, 160, 160)
    expected = reference.golden_logits(OFFICIAL, "golden_scene.json", "default")
    torch.testing.assert_close(reference.logits(recipe, model, frames), expected, atol=1e-5, rtol=1e-5)


def test_each_stage_gives_what_the_official_one_does_and_so_the_official_logits(loaded):
    _, model = loaded
    [case] = reference.read(OFFICIAL, "golden.json")["cases"]
    frames = reference.make_frames(0, 2, 16, 160, 160).transpose(1, 2)
    with torch.no_grad():
        stages = model.backbone.stages(model.backbone.embed(frames))
        logits = model.cls_head(model.backbone.fc_norm(stages[-1].mean(dim=(1, 2))))
    ends = [recorded for name, recorded in case["intermediates"].items() if "end of stage" in name]
    assert [list(stage.flatten(1, 2).shape) for stage in stages] == [recorded["shape"] for recorded in ends]
    for stage, recorded in zip(stages, ends, strict=True):
        assert stage.double().norm().item() == pytest.approx(recorded["l2"], rel=1e-6)
        torch.testing.assert_close(stage.flatten()[:8], torch.tensor(recorded["first8"]), atol=2e-5, rtol=1e-5)
        torch.testing.assert_close(stage.flatten()[-8:], torch.tensor(recorded["last8"]), atol=2e-5, rtol=1e-5)
    expected = reference.golden_logits(OFFICIAL, "golden.json", "default")
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)


def test_every_recorded_case_is_compared():
    assert reference.cases(OFFICIAL) == [("golden.json", "default"), ("golden_scene.json", "default")]


def test_reversed_frames_change_the_logits(loaded):
    recipe, model = loaded
    frames = reference.make_scene_frames(0, 2, 16, 160, 160)[:1]
    recorded = reference.golden_logits(OFFICIAL, "golden_scene.json", "default")[:1]
    assert (reference.logits(recipe, model, frames.flip(1)) - recorded).abs().max() > 1e-3


def test_layer_decay_and_weight_decay_are_the_official_ones(loaded):
    _, model = loaded
    recipe = load_object(METHOD.recipe)(dataclasses.replace(METHOD.presets["paper"], batch_size=256), 7)
    rules = reference.parameter_rules(METHOD, OFFICIAL, model, reference.optimizer(recipe, model))
    recorded = reference.read(OFFICIAL, "golden_optim.json")["param_groups"]
    assert rules == {name: pytest.approx((1e-3 * scale, decay)) for name, scale, decay in recorded}


@pytest.mark.parametrize("training", ["finetune", "pretrain"])
def test_learning_rate_follows_the_official_schedule(training):
    recorded = reference.read(OFFICIAL, "golden_optim.json")[f"schedule_{training}"]
    spec, classes = (METHOD, 7) if training == "finetune" else (MASKED, 0)
    recipe = load_object(spec.recipe)(spec.presets["paper"], classes)
    rate = spec.presets["paper"].scaled(recipe.optim_wrapper["optimizer"]["lr"])
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(recorded["base_lr"])
    schedulers = [_by_iteration(step, optimizer, recorded["iterations_per_epoch"]) for step in recipe.param_scheduler]
    last = max(int(iteration) for iteration in recorded["lr_at_iteration"])
    rates = []
    for _ in range(last + 1):
        rates.append(optimizer.param_groups[0]["lr"])
        for scheduler in schedulers:
            scheduler.step()
    for iteration, expected in recorded["lr_at_iteration"].items():
        assert rates[int(iteration)] == pytest.approx(expected, rel=1e-6, abs=1e-14), iteration


# The official script mixes and smooths as VideoMAE's does.
@pytest.mark.parametrize("case", reference.read("videomae", "golden_loss.json")["cases"], ids=lambda case: case["case"])
def test_loss_on_mixed_targets_is_the_official_one(case):
    from mmaction.structures import ActionDataSample

    inputs, outputs = case["inputs"], case["outputs"]
    _, model = reference.build(METHOD, "small", model={**METHOD.presets["small"].model, "strong": True})
    labels = torch.nn.functional.one_hot(torch.tensor(inputs["target"]), 7).float()
    mixed = inputs["lam"] * labels + (1 - inputs["lam"]) * labels.flip(0)
    logits = torch.tensor(inputs["logits"]["values"]).view(-1, 7).requires_grad_()
    loss = model.cls_head.loss_by_feat(logits, [ActionDataSample().set_gt_label(label) for label in mixed])["loss_cls"]
    loss.backward()
    assert loss.item() == pytest.approx(outputs["loss"], abs=1e-5, rel=1e-6)
    expected = torch.tensor(outputs["grad_logits"]["values"]).view(-1, 7)
    torch.testing.assert_close(logits.grad, expected, atol=1e-5, rtol=1e-5)


def test_pre_training_never_sees_hidden_pixels(masked):
    frames, changed, mask = two_clips_that_differ_where_hidden(masked)
    assert torch.equal(masked.reconstruct(changed, mask), masked.reconstruct(frames, mask))
    assert not torch.equal(masked.reconstruct(-frames, mask), masked.reconstruct(frames, mask))


def test_the_official_pre_training_sees_them_when_asked_for():
    official = build_masked(recover_from="clip")
    frames, changed, mask = two_clips_that_differ_where_hidden(official)
    assert not torch.allclose(official.reconstruct(changed, mask), official.reconstruct(frames, mask), atol=1e-3)


def test_features_are_the_sum_of_what_the_stages_give(masked):
    """With nothing hidden, the stages are those of fine-tuning, each repeated up to the first one's length."""
    encoder, frames = masked.encoder, torch.randn(2, 3, 8, 32, 32)
    everything = torch.arange(4 * 16).expand(2, -1)
    first, second, third = encoder.stages(encoder.embed(frames))
    assert [stage.shape[1] for stage in (first, second, third)] == [4, 2, 1]
    added = torch.stack([first[:, slot] + second[:, slot // 2] + third[:, 0] for slot in range(4)], dim=1)
    torch.testing.assert_close(encoder(frames, everything), encoder.norm(added).flatten(1, 2), atol=1e-5, rtol=1e-5)


def test_exported_encoder_fits_the_recognizer(masked):
    exported = load_object(MASKED.export)(masked.state_dict())
    _, recognizer = reference.build(METHOD, "small")
    missing, unexpected = recognizer.load_state_dict(exported, strict=False)
    assert unexpected == []
    assert {key.rpartition(".")[0] for key in missing} == {"backbone.fc_norm", "cls_head.fc_cls"}


def test_an_official_pretrained_encoder_fits_without_its_decoder():
    keys = load_object(METHOD.networks["model"].keys)
    kept = keys({"encoder.patch_embed.proj.bias": 0, "encoder.norm.weight": 1, "mask_token": 2, "decoder.norm.bias": 3})
    assert kept == {"backbone.patch_embed.bias": 0}


def two_clips_that_differ_where_hidden(model):
    frames = torch.randn(1, 3, 8, 32, 32)
    mask = model.draw_mask(frames)
    hidden = mask.view(1, 1, 4, 4, 4).repeat_interleave(2, 2).repeat_interleave(8, 3).repeat_interleave(8, 4)
    return frames, torch.where(hidden, torch.randn_like(frames), frames), mask


def _by_iteration(config, optimizer, epoch_length):
    options = {key: value for key, value in config.items() if key not in ("type", "convert_to_iter_based")}
    assert config["convert_to_iter_based"]
    return SCHEDULERS[config["type"]].build_iter_from_epoch(optimizer, epoch_length=epoch_length, **options)
