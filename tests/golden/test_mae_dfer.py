import copy

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import CosineAnnealingLR, LinearLR
from mmengine.registry import DefaultScope

from benchmark.specs import load_object
from benchmark.training.adapter import import_mmaction
from benchmark_plugins.mae_dfer import METHOD
from benchmark_plugins.mae_dfer.masked_recipe import export, official_keys
from tests.golden import reference
from tests.golden.fill import imagenet_normalise

OFFICIAL = "mae_dfer"
SCHEDULERS = {"LinearLR": LinearLR, "CosineAnnealingLR": CosineAnnealingLR}
MASKED = METHOD.pretrainings["masked"]
TOKENS = {"variant: lg_classify_token_type='org' (the code's default)": "org"}
TOKENS["variant: lg_classify_token_type='all'"] = "all"


@pytest.fixture(scope="module")
def loaded():
    recipe, model = reference.build_official(METHOD, OFFICIAL)
    # The blocks are most of the work and the same whatever is classified: each input goes through them once.
    encode, done = model.backbone.encode, {}

    def encode_once(frames, numbers):
        key = hash(frames.numpy().tobytes())
        if key not in done:
            done[key] = encode(frames, numbers)
        return done[key]

    model.backbone.encode = encode_once
    return recipe, model


@pytest.fixture(scope="module")
def pretrained():
    model = build_masked(MASKED.presets["paper"])
    model.load_state_dict(official_keys(reference.official_state(OFFICIAL, "state_dict_pretrain.json")), strict=True)
    frames = imagenet_normalise(reference.make_frames(0, 2, 16, 160, 160), channel_dim=2).transpose(1, 2)
    visible = torch.tensor(golden_case()["mask"]["visible_spatial_indices_per_clip"])
    mask = torch.ones(2, 100, dtype=torch.bool).scatter(1, visible, False).repeat(1, 8)
    with torch.no_grad():
        return model, frames, mask, model.reconstruct(frames, mask)


def golden_case():
    [case] = reference.read(OFFICIAL, "golden_pretrain.json")["cases"]
    return case


def build_masked(preset, **changes):
    import_mmaction()
    from mmaction.registry import MODELS

    import benchmark_plugins.mae_dfer.masked  # noqa: F401

    recipe = load_object(MASKED.recipe)(preset, 0)
    with DefaultScope.overwrite_default_scope("mmaction"):
        return MODELS.build(Config({"model": {**recipe.model, **changes}}).model).eval()


def test_official_tensors_and_ours_are_the_same_set(loaded):
    reference.check_size(loaded[1], OFFICIAL, entries=519, parameters=84_878_343)


@pytest.mark.parametrize(("file", "case"), reference.cases(OFFICIAL))
def test_logits_equal_the_official_ones(loaded, file, case, monkeypatch):
    recipe, model = loaded
    _, other = reference.build(METHOD, "small", model={**small(), "classify": TOKENS.get(case, "region")})
    monkeypatch.setattr(model.backbone, "classify", other.backbone.classify)
    frames = reference.FRAMES[file](0, 2, 16, 160, 160)
    torch.testing.assert_close(
        reference.logits(recipe, model, frames), reference.golden_logits(OFFICIAL, file, case), atol=1e-5, rtol=1e-5
    )


def test_reversed_frames_change_the_logits(loaded):
    recipe, model = loaded
    frames = reference.make_scene_frames(0, 2, 16, 160, 160)
    logits = reference.logits(recipe, model, frames)
    change = reference.logits(recipe, model, frames[:1].flip(1)) - logits[:1]
    assert change.abs().max() > 1e-3


@pytest.mark.parametrize("case", reference.read(OFFICIAL, "golden_loss.json")["cases"], ids=lambda case: case["case"])
def test_loss_on_mixed_targets_is_the_official_one(case):
    import_mmaction()
    from mmaction.structures import ActionDataSample

    inputs, outputs = case["inputs"], case["outputs"]
    _, model = reference.build(METHOD, "small", model={**small(), "strong": True, "mixing": True, "smoothing": 0.1})
    labels = torch.nn.functional.one_hot(torch.tensor(inputs["target"]), 7).float()
    # The official code mixes the batch with itself reversed, and smooths both labels before.
    mixed = inputs["lam"] * labels + (1 - inputs["lam"]) * labels.flip(0)
    logits = torch.tensor(inputs["logits"]["values"]).view(-1, 7).requires_grad_()
    loss = model.cls_head.loss_by_feat(logits, [ActionDataSample().set_gt_label(label) for label in mixed])["loss_cls"]
    loss.backward()
    assert loss.item() == pytest.approx(outputs["loss"], abs=1e-5, rel=1e-6)
    expected = torch.tensor(outputs["grad_logits"]["values"]).view(-1, 7)
    torch.testing.assert_close(logits.grad, expected, atol=1e-5, rtol=1e-5)


def test_layer_decay_and_weight_decay_are_the_official_ones():
    recipe, model = reference.build(METHOD, batch_size=256)
    rules = reference.parameter_rules(METHOD, OFFICIAL, model, reference.optimizer(recipe, model))
    recorded = reference.read(OFFICIAL, "golden_optim.json")["param_groups"]
    assert rules == {name: pytest.approx((1e-3 * scale, decay)) for name, scale, decay in recorded}
    assert rules["lg_region_tokens"] == pytest.approx((1e-3, 0.0))


@pytest.mark.parametrize("training", ["finetune", "pretrain"])
def test_learning_rate_follows_the_official_schedule(training):
    recorded = reference.read(OFFICIAL, "golden_optim.json")[f"schedule_{training}"]
    spec, classes = (METHOD, 7) if training == "finetune" else (MASKED, 0)
    recipe = load_object(spec.recipe)(spec.presets["paper"], classes)
    optimizer = torch.optim.SGD(
        [torch.nn.Parameter(torch.zeros(1))], lr=spec.presets["paper"].scaled(recipe.optim_wrapper["optimizer"]["lr"])
    )
    assert optimizer.param_groups[0]["lr"] == pytest.approx(recorded["base_lr"])
    schedulers = [_by_iteration(step, optimizer, recorded["iterations_per_epoch"]) for step in recipe.param_scheduler]
    rates = []
    for _ in range(recorded["epochs"] * recorded["iterations_per_epoch"]):
        rates.append(optimizer.param_groups[0]["lr"])
        for scheduler in schedulers:
            scheduler.step()
    for iteration, expected in recorded["lr_at_iteration"].items():
        assert rates[int(iteration)] == pytest.approx(expected, rel=1e-6, abs=1e-14), iteration


def test_small_preset_is_the_same_network_at_another_size():
    recipe, model = reference.build(METHOD, "small", num_classes=3)
    frames = torch.rand(1, METHOD.presets["small"].sampling.frames, 3, 32, 32)
    assert reference.logits(recipe, model, frames).shape == (1, 3)
    depth = METHOD.presets["small"].model["depth"]
    _, paper = reference.build(METHOD, model={"depth": depth})
    assert model.state_dict().keys() == paper.state_dict().keys()


def test_regions_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="do not divide"):
        reference.build(METHOD, "small", model={**small(), "region": (2, 3, 4)})


def test_official_pretraining_tensors_and_ours_are_the_same_set(pretrained):
    model = pretrained[0]
    recorded = reference.read(OFFICIAL, "state_dict_pretrain.json")
    assert len(model.state_dict()) == recorded["n_entries"] == 575
    assert sum(p.numel() for p in model.parameters()) == recorded["n_parameters"] == 92_760_192


def test_rebuilt_pixels_and_their_targets_are_the_official_ones(pretrained):
    model, frames, mask, rebuilt = pretrained
    for name, values in (("reconstruction", rebuilt), ("target", model.targets(frames, mask))):
        recorded = golden_case()["outputs"][name]
        assert list(values.shape) == recorded["shape"]
        assert values.double().norm().item() == pytest.approx(recorded["l2"], rel=1e-6)
        means = torch.tensor(recorded["per_masked_token_mean"])
        torch.testing.assert_close(values.mean(dim=2), means, atol=1e-5, rtol=1e-5)
        for place, first in recorded["first_24_values_of_tokens"].items():
            _, clip, _, token = place.split()
            torch.testing.assert_close(values[int(clip), int(token), :24], torch.tensor(first), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("variant", "options"),
    [
        ("loss", {}),
        ("target_diff_weight=0.3", {"difference_weight": 0.3}),
        ("frame_diff_group_size=4", {"difference_group": 4}),
        ("no_frame_difference_target", {"difference_group": 1}),
    ],
)
def test_pretraining_loss_is_the_official_one(pretrained, monkeypatch, variant, options):
    model, frames, mask, rebuilt = pretrained
    case = golden_case()
    expected = {**case["loss_variants_same_input"], "loss": case["outputs"]["loss"]}[variant]
    monkeypatch.setattr(model, "reconstruct", lambda *_: rebuilt)
    for name, value in options.items():
        monkeypatch.setattr(model, name, value)
    assert model.masked_loss(frames, mask).item() == pytest.approx(expected, abs=1e-5)


def test_corrected_order_gives_every_visible_token_its_own_position():
    corrected, official = (small_masked(token_order=order) for order in ("corrected", "official"))
    official.load_state_dict(corrected.state_dict())
    frames, seen = torch.rand(1, 3, 8, 32, 32), {}
    mask = load_object("benchmark_plugins.mae_dfer.masked:part_window_mask")(1, (4, 4, 4), (2, 4), 0.75)
    for model in (corrected, official):
        model.decoder.register_forward_pre_hook(lambda _, inputs, model=model: seen.update({model: inputs[1]}))
        model.reconstruct(frames, mask)
    tokens = corrected.encoder.visible(mask).flatten(1)
    assert torch.equal(seen[corrected], tokens)
    assert not torch.equal(seen[official], tokens)
    assert torch.equal(seen[official], tokens.sort().values)


def test_every_region_keeps_as_many_tokens_at_the_same_places_in_every_slot():
    part_window_mask = load_object("benchmark_plugins.mae_dfer.masked:part_window_mask")
    torch.manual_seed(0)
    visible = ~part_window_mask(50, (8, 10, 10), (5, 10), 0.9).view(50, 8, 2, 50)
    assert (visible.sum(dim=3) == 5).all()
    assert torch.equal(visible, visible[:, :1].expand_as(visible))
    assert visible[:, 0].any(dim=0).all()
    narrow = ~part_window_mask(4, (2, 4, 6), (2, 3), 0.5).view(4, 2, 2, 2, 2, 3)
    assert (narrow.sum(dim=(3, 5)) == 3).all()


def test_masked_autoencoder_learns_and_hands_over_its_encoder():
    torch.manual_seed(0)
    model = small_masked().train()
    model.init_weights()
    recipe = load_object(MASKED.recipe)(MASKED.presets["small"], 0)
    wrapper = reference.optimizer(recipe, model)
    decay = {
        id(parameter): group["weight_decay"]
        for group in wrapper.optimizer.param_groups
        for parameter in group["params"]
    }
    spared = {name for name, parameter in model.named_parameters() if decay[id(parameter)] == 0}
    vectors = {name for name, parameter in model.named_parameters() if parameter.ndim == 1}
    assert spared == vectors | {"decoder.mask_token", "encoder.lg_region_tokens"}

    losses = []
    for _ in range(40):
        blocks = torch.rand(8, 1, 3, 8, 4, 4).repeat_interleave(8, dim=4).repeat_interleave(8, dim=5)
        ramp = torch.linspace(-1, 1, 32)
        loss = model(blocks + ramp + ramp[:, None], mode="loss")["loss"]
        wrapper.update_params(loss)
        losses.append(loss.item())
    model(blocks, mode="loss")["loss"].backward()
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert all(parameter.grad is not None for parameter in model.parameters())

    _, recognizer = reference.build(METHOD, "small")
    left_out = recognizer.load_state_dict(export(model.state_dict()), strict=False)
    assert not left_out.unexpected_keys
    assert {key.split(".")[-2] for key in left_out.missing_keys} == {"fc_norm", "fc_cls"}


def test_pretrained_files_fit_the_recognizer_without_their_decoder():
    keys = load_object(METHOD.networks["model"].keys)
    official = reference.read(OFFICIAL, "state_dict_pretrain.json")["entries"]
    ours = keys({name: name for name, _, _ in official})
    _, recognizer = reference.build(METHOD, "small", model={**small(), "depth": 16})
    assert set(recognizer.state_dict()) - set(ours) == {
        *("backbone.fc_norm.weight", "backbone.fc_norm.bias"),
        *("cls_head.fc_cls.weight", "cls_head.fc_cls.bias"),
    }
    assert set(ours) <= set(recognizer.state_dict())


def small():
    return copy.deepcopy(METHOD.presets["small"].model)


def small_masked(**changes):
    return build_masked(MASKED.presets["small"], **changes)


def _by_iteration(config, optimizer, epoch_length):
    options = {key: value for key, value in config.items() if key not in ("type", "convert_to_iter_based")}
    assert config["convert_to_iter_based"]
    return SCHEDULERS[config["type"]].build_iter_from_epoch(optimizer, epoch_length=epoch_length, **options)
