import dataclasses
import importlib

import pytest
import torch
from mmengine.optim import build_optim_wrapper

from benchmark.specs import load_object
from benchmark.training.adapter import import_mmaction
from benchmark_plugins.videomae import METHOD
from benchmark_plugins.videomae.masked_recipe import official_keys
from tests.golden import reference
from tests.golden.fill import imagenet_normalise, make_frames

OFFICIAL = "videomae"
PRETRAINING = METHOD.pretrainings["masked"]
SIZES = {
    224: ("golden_pretrain.json", "state_dict_pretrain.json"),
    160: ("golden_pretrain_160.json", "state_dict_pretrain_160.json"),
}


def build(preset="paper", **changes):
    import_mmaction()
    from mmaction.registry import MODELS

    recipe = load_object(PRETRAINING.recipe)(dataclasses.replace(PRETRAINING.presets[preset], **changes), 0)
    for module in recipe.imports:
        importlib.import_module(module)
    return recipe, MODELS.build(recipe.model)


@pytest.fixture(scope="module")
def official():
    recipe, model = build()
    model.load_state_dict(official_keys(reference.official_state(OFFICIAL, "state_dict_pretrain.json")), strict=True)
    return recipe, model.eval()


@pytest.fixture
def small():
    torch.manual_seed(0)
    recipe, model = build("small")
    model.init_weights()
    return recipe, model


@pytest.mark.parametrize("size", SIZES)
def test_official_tensors_and_ours_are_the_same_set(official, size):
    recorded = reference.read(OFFICIAL, SIZES[size][1])
    _, model = official
    assert model.state_dict().keys() == official_keys({entry[0]: None for entry in recorded["entries"]}).keys()
    assert sum(p.numel() for p in model.parameters()) == recorded["n_parameters"] == 94_210_944


@pytest.mark.parametrize("size", SIZES)
def test_reconstruction_target_and_loss_are_the_official_ones(official, size):
    _, model = official
    case = reference.read(OFFICIAL, SIZES[size][0])["cases"][0]
    frames = imagenet_normalise(make_frames(0, 2, 16, size, size), channel_dim=2).transpose(1, 2)
    visible = torch.tensor(case["mask"]["visible_spatial_indices_per_clip"])
    mask = torch.ones(2, case["mask"]["n_spatial_positions"], dtype=torch.bool).scatter_(1, visible, False)
    mask = mask.repeat(1, case["mask"]["n_time_positions"])
    with torch.no_grad():
        outputs = {"reconstruction": model.reconstruct(frames, mask), "target": model.targets(frames, mask)}
    for name, values in outputs.items():
        recorded = case["outputs"][name]
        assert list(values.shape) == recorded["shape"]
        means = torch.tensor(recorded["per_masked_token_mean"])
        torch.testing.assert_close(values.mean(2), means, atol=1e-6, rtol=1e-5)
        for place, expected in recorded["first_24_values_of_tokens"].items():
            _, clip, _, token = place.split()
            ours = values[int(clip), int(token), :24]
            torch.testing.assert_close(ours, torch.tensor(expected), atol=1e-5, rtol=1e-5)
    loss = (outputs["reconstruction"] - outputs["target"]).square().mean()
    assert loss.item() == pytest.approx(case["outputs"]["loss"], abs=1e-6)


def test_loss_of_a_mask_is_the_mean_squared_error_on_hidden_tokens(small):
    _, model = small
    frames = torch.randn(2, 3, 8, 32, 32)
    mask = model.draw_mask(frames)
    expected = (model.reconstruct(frames, mask) - model.targets(frames, mask)).square().mean()
    assert model.masked_loss(frames, mask).item() == pytest.approx(expected.item(), rel=1e-6)


def test_encoder_never_sees_hidden_pixels(small):
    _, model = small
    frames = torch.randn(1, 3, 8, 32, 32)
    mask = model.draw_mask(frames)
    hidden = mask.view(1, 1, 4, 4, 4).repeat_interleave(2, 2).repeat_interleave(8, 3).repeat_interleave(8, 4)
    changed = torch.where(hidden, torch.randn_like(frames), frames)
    assert torch.equal(model.reconstruct(changed, mask), model.reconstruct(frames, mask))
    assert not torch.equal(model.reconstruct(-frames, mask), model.reconstruct(frames, mask))


def test_masks_are_tubes_of_nine_tenths_that_follow_the_seed(official):
    _, model = official
    torch.manual_seed(0)
    mask = model.draw_mask(torch.zeros(3, 3, 16, 160, 160))
    slots = mask.view(3, 8, 100)
    assert (slots == slots[:, :1]).all()
    assert slots.sum(2).unique().tolist() == [90]
    assert not torch.equal(mask[0], mask[1])
    torch.manual_seed(0)
    assert torch.equal(model.draw_mask(torch.zeros(3, 3, 16, 160, 160)), mask)


def test_vectors_and_the_mask_token_do_not_decay(small):
    recipe, model = small
    optimizer = build_optim_wrapper(model, {"type": "OptimWrapper", **recipe.optim_wrapper}).optimizer
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    for name, parameter in model.named_parameters():
        assert decay[id(parameter)] == (0 if parameter.ndim == 1 or name.endswith("mask_token") else 0.05), name


def test_learning_rate_is_proportional_to_the_batch_and_ends_at_a_fifteenth():
    preset = dataclasses.replace(PRETRAINING.presets["paper"], batch_size=1024)
    recipe = load_object(PRETRAINING.recipe)(preset, 0)
    assert preset.scaled(recipe.optim_wrapper["optimizer"]["lr"]) == pytest.approx(6e-4)
    warmup, cosine = recipe.param_scheduler
    assert (warmup["end"], cosine["begin"], cosine["end"]) == (40, 40, 1600)
    assert cosine["eta_min_ratio"] == pytest.approx(1 / 15)


def test_exported_encoder_fits_the_recognizer(small):
    _, model = small
    exported = load_object(PRETRAINING.export)(model.state_dict())
    _, recognizer = reference.build(METHOD, "small")
    missing, unexpected = recognizer.load_state_dict(exported, strict=False)
    assert unexpected == []
    assert {key.rpartition(".")[0] for key in missing} == {"backbone.fc_norm", "cls_head.fc_cls"}


def test_official_encoder_reaches_the_recognizer_by_either_way():
    official = reference.read(OFFICIAL, "state_dict_pretrain.json")["entries"]
    state = {key: key for key, *_ in official}
    directly = load_object(METHOD.networks["model"].keys)(state)
    assert load_object(PRETRAINING.export)(official_keys(state)) == directly


def test_small_autoencoder_learns_moving_discs(small):
    recipe, model = small
    optimizer = build_optim_wrapper(model, {"type": "OptimWrapper", **recipe.optim_wrapper}).optimizer
    clips = discs(64)
    epochs = []
    for _ in range(5):
        losses = []
        for batch in torch.randperm(len(clips)).split(8):
            loss = model(clips[batch])["loss"]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        epochs.append(sum(losses) / len(losses))
    assert epochs == sorted(epochs, reverse=True)
    # 1 is what a constant guess gets.
    assert epochs[-1] < 0.9


def discs(clips):
    """Clips (B, 1, 3, 8, 32, 32) of a soft disc of any size and colour that drifts over a dark ground."""
    grid = torch.arange(32.0)
    radius, shift, speed = 6 + 6 * torch.rand(clips, 1, 1, 1), *torch.randn(2, clips, 1, 1, 1)
    time = torch.arange(8.0).view(8, 1, 1)
    x, y = grid.view(1, 1, 32) - 16 - shift - speed * time / 4, grid.view(1, 32, 1) - 16 - shift
    disc = torch.sigmoid(radius - (x.square() + y.square()).sqrt())
    return 2 * disc.unsqueeze(1).unsqueeze(1) * torch.rand(clips, 1, 3, 1, 1, 1) - 1
