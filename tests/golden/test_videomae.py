import pytest
import torch
from mmengine.optim import CosineAnnealingLR, LinearLR

from benchmark.specs import load_object
from benchmark_plugins.videomae import METHOD
from tests.golden import reference

OFFICIAL = "videomae"
SCHEDULERS = {"LinearLR": LinearLR, "CosineAnnealingLR": CosineAnnealingLR}


@pytest.fixture(scope="module", params=[224, 160])
def loaded(request):
    recipe, model = reference.build(METHOD, size=request.param)
    keys = load_object(METHOD.networks["model"].keys)
    model.load_state_dict(keys(reference.official_state(OFFICIAL)), strict=True)
    return request.param, recipe, model


def test_official_tensors_and_ours_are_the_same_set(loaded):
    _, _, model = loaded
    recorded = reference.read(OFFICIAL, "state_dict.json")
    assert len(model.state_dict()) == recorded["n_entries"] == 162
    assert sum(p.numel() for p in model.parameters()) == recorded["n_parameters"] == 86_232_583


@pytest.mark.parametrize("file", reference.FRAMES)
def test_logits_equal_the_official_ones(loaded, file):
    size, recipe, model = loaded
    frames = reference.FRAMES[file](0, 2, 16, size, size)
    torch.testing.assert_close(
        reference.logits(recipe, model, frames),
        reference.golden_logits(OFFICIAL, file, str(size)),
        atol=1e-5,
        rtol=1e-5,
    )


def test_every_recorded_case_is_compared():
    assert {case for _, case in reference.cases(OFFICIAL)} == {"224", "160"}


def test_layer_decay_and_weight_decay_are_the_official_ones():
    recipe, model = reference.build(METHOD, batch_size=256)
    rules = reference.parameter_rules(METHOD, OFFICIAL, model, reference.optimizer(recipe, model))
    recorded = reference.read(OFFICIAL, "golden_optim.json")["param_groups"]
    assert rules == {name: pytest.approx((5e-4 * scale, decay)) for name, scale, decay in recorded}


@pytest.mark.parametrize("layer_scale", [1.0, 0.023757264])
def test_learning_rate_follows_the_official_schedule(layer_scale):
    recorded = reference.read(OFFICIAL, "golden_optim.json")["schedule_finetune"]
    recipe, _ = reference.build(METHOD, "small", **_paper_length(batch_size=384))
    rate = recipe.optim_wrapper["optimizer"]["lr"]
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


def _by_iteration(config, optimizer, epoch_length):
    options = {key: value for key, value in config.items() if key not in ("type", "convert_to_iter_based")}
    assert config["convert_to_iter_based"]
    return SCHEDULERS[config["type"]].build_iter_from_epoch(optimizer, epoch_length=epoch_length, **options)
