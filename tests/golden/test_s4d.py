import pytest
import torch
import torch.nn.functional as F
from mmengine.optim import CosineAnnealingLR, LinearLR

from benchmark.specs import load_object
from benchmark.training.model import build_recipe
from benchmark_plugins.s4d import METHOD
from tests.golden import reference
from tests.golden.fill import filled_state_dict, rand_tensor

OFFICIAL = "s4d"
SCHEDULERS = {"LinearLR": LinearLR, "CosineAnnealingLR": CosineAnnealingLR}
LOSSES = reference.read(OFFICIAL, "golden_loss.json")["cases"]
SCENE = "golden_scene.json"
IMAGES = METHOD.pretrainings["image"]


@pytest.fixture(scope="module")
def loaded():
    recipe, model = reference.build(METHOD)
    model.load_state_dict(official_keys(reference.official_state(OFFICIAL)), strict=True)
    return recipe, model


@pytest.fixture
def official(loaded):
    """The same model, routing as the official code does."""
    for mixture in loaded[1].backbone.mixtures:
        mixture.routing = "official"
    yield loaded
    for mixture in loaded[1].backbone.mixtures:
        mixture.routing = "independent"


def official_keys(state):
    return load_object(METHOD.networks["model"].keys)(state)


def golden(letter, file="golden.json"):
    [name] = [case for found, case in reference.cases(OFFICIAL) if found == file and case.startswith(letter)]
    return reference.golden_logits(OFFICIAL, file, name)


def no_noise(monkeypatch):
    monkeypatch.setattr(torch, "randn_like", torch.zeros_like)


def close(logits, expected):
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)


def small(**changes):
    torch.manual_seed(0)
    recipe, model = reference.build(METHOD, "small", model={**METHOD.presets["small"].model, **changes})
    model.load_state_dict(filled_state_dict(model.state_dict(), seed=0))
    return recipe, model


def test_official_tensors_and_ours_are_the_same_set_but_for_the_classifier_of_images(loaded):
    _, model = loaded
    recorded = reference.read(OFFICIAL, "state_dict.json")
    assert len(model.state_dict()) == recorded["n_entries"] - 2 == 378
    assert sum(p.numel() for p in model.parameters()) == recorded["n_parameters"] - 7 * 769 == 100_508_263


def test_logits_equal_the_official_codes_without_noise_and_capacity(loaded):
    recipe, model = loaded
    close(reference.logits(recipe, model, reference.make_scene_frames(0, 2, 16, 160, 160)), golden("A", SCENE))


@pytest.mark.slow
def test_logits_of_noise_equal_them_too_and_reversed_frames_change_them(loaded):
    recipe, model = loaded
    frames = reference.make_frames(0, 2, 16, 160, 160)
    close(reference.logits(recipe, model, frames), golden("A"))
    assert (reference.logits(recipe, model, frames[:1].flip(1)) - golden("A")[:1]).abs().max() > 1e-3


@pytest.mark.slow
def test_official_evaluation_can_be_repeated_noise_and_all(official):
    recipe, model = official
    torch.manual_seed(100)
    close(reference.logits(recipe, model, reference.make_frames(0, 2, 16, 160, 160)), golden("C"))


@pytest.mark.slow
def test_official_capacity_makes_a_clip_depend_on_its_batch(official, monkeypatch):
    recipe, model = official
    no_noise(monkeypatch)
    frames = reference.make_frames(0, 2, 16, 160, 160)
    close(reference.logits(recipe, model, frames), golden("B: "))
    alone = torch.cat([reference.logits(recipe, model, frame) for frame in frames.split(1)])
    close(alone, golden("B1"))
    scene = reference.make_scene_frames(0, 2, 16, 160, 160)
    close(reference.logits(recipe, model, scene), golden("B", SCENE))


def test_an_image_is_two_equal_frames_at_the_first_places_of_time(loaded):
    _, model = loaded
    state = reference.official_state(OFFICIAL)
    images = reference.make_frames(0, 2, 1, 160, 160).transpose(1, 2)
    with torch.no_grad():
        close(F.linear(model.backbone(images), state["head.image.weight"], state["head.image.bias"]), golden("image"))


def test_the_video_model_starts_from_the_image_models_encoder():
    exported = load_object(IMAGES.export)(
        build_recipe(load_object(IMAGES.recipe)(IMAGES.presets["small"], 7), IMAGES.presets["small"]).state_dict()
    )
    _, video = reference.build(METHOD, "small")
    missing, unexpected = video.load_state_dict(exported, strict=False)
    assert unexpected == []
    assert set(missing) == {"cls_head.fc_cls.weight", "cls_head.fc_cls.bias"}


@pytest.mark.parametrize("routing", ["independent", "official"])
def test_only_the_official_routing_is_random_and_looks_at_the_batch(routing):
    recipe, model = small(routing=routing)
    frames = reference.make_scene_frames(0, 3, 8, 32, 32)
    together, again = (reference.logits(recipe, model, frames) for _ in range(2))
    alone = reference.logits(recipe, model, frames[2:])
    assert torch.equal(together, again) == (routing == "independent")
    assert torch.allclose(together[2:], alone, atol=1e-6) == (routing == "independent")


def test_training_is_noisy_whatever_the_routing():
    recipe, model = small()
    frames = reference.make_scene_frames(0, 2, 8, 32, 32)
    model.train()
    assert not torch.equal(reference.logits(recipe, model, frames), reference.logits(recipe, model, frames))


def test_a_routing_of_another_name_is_refused():
    with pytest.raises(ValueError, match="'independent' and 'official'"):
        small(routing="random")


@pytest.mark.parametrize("case", LOSSES[:3], ids=lambda case: case["case"])
def test_balance_loss_is_the_official_one(case):
    from benchmark_plugins.s4d.model import balance_loss

    shape, outputs = case["inputs"]["router_logits"]["shape"], case["outputs"]
    scale = {"balance0": 1.0, "balance1": 0.3, "balance2": 2.0}[case["case"]]
    logits = rand_tensor(f"s4d.{case['case']}.logits", shape, 0, scale=scale).requires_grad_()
    loss = balance_loss(logits, case["inputs"]["top_k"])
    loss.backward()
    assert loss.item() == pytest.approx(outputs["layer_loss"], abs=1e-5)
    assert logits.grad.norm().item() == pytest.approx(outputs["grad_norm"], rel=1e-5)
    recorded = outputs["grad_logits"]
    torch.testing.assert_close(logits.grad.flatten()[:8], torch.tensor(recorded["first8"]), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(logits.grad.flatten()[-8:], torch.tensor(recorded["last8"]), atol=1e-6, rtol=1e-5)


@pytest.mark.slow
def test_losses_and_gradients_of_the_whole_model_are_the_official_ones(official, monkeypatch):
    from mmaction.structures import ActionDataSample

    _, model = official
    no_noise(monkeypatch)
    [case] = [case for case in LOSSES if case["case"].startswith("whole model")]
    inputs, outputs = case["inputs"], case["outputs"]
    labels = F.one_hot(torch.tensor(inputs["target"]), 7).float()
    mixed = inputs["lam"] * labels + (1 - inputs["lam"]) * labels.flip(0)
    samples = [ActionDataSample().set_gt_label(label) for label in mixed]
    clips = reference.make_frames(0, 2, 16, 160, 160).transpose(1, 2).unsqueeze(1)
    model.train()
    model.balance = inputs["aux_loss_coeff"]
    try:
        losses = model(clips, samples, mode="loss")
        (losses["loss_cls"] + losses["loss_balance"]).backward()
    finally:
        model.eval()
        model.balance = 0.0
    assert losses["loss_cls"].item() == pytest.approx(outputs["cross_entropy"], abs=1e-5)
    expected = outputs["aux_loss_sum_over_6_routers"] * inputs["aux_loss_coeff"]
    assert losses["loss_balance"].item() == pytest.approx(expected, abs=1e-5)
    parameters = dict(model.named_parameters())
    for name, norm in outputs["grad_norm"].items():
        [ours] = official_keys({name: None})
        assert parameters[ours].grad.norm().item() == pytest.approx(norm, rel=1e-4), name


def test_balance_is_added_only_when_asked_for():
    from mmaction.structures import ActionDataSample

    samples = [ActionDataSample().set_gt_label(label) for label in torch.eye(7)[:2]]
    clips = reference.make_scene_frames(0, 2, 8, 32, 32).transpose(1, 2).unsqueeze(1)
    without, with_it = (small(balance=balance)[1].train()(clips, samples, mode="loss") for balance in (0.0, 0.001))
    assert "loss_balance" not in without
    assert with_it["loss_balance"] != 0


def test_layer_decay_and_weight_decay_are_the_official_ones(loaded):
    recipe, model = loaded
    entries = [entry[0] for entry in reference.read(OFFICIAL, "state_dict.json")["entries"]]
    official = official_keys({key: key for key in entries})
    names = {id(parameter): official[name] for name, parameter in model.named_parameters()}
    rules = {
        names[id(parameter)]: (METHOD.presets["paper"].scaled(group["lr"]), group["weight_decay"])
        for group in reference.optimizer(recipe, model).optimizer.param_groups
        for parameter in group["params"]
    }
    recorded = reference.read(OFFICIAL, "golden_optim.json")["param_groups"]
    expected = {name: pytest.approx((4e-5 * scale, decay)) for name, scale, decay in recorded}
    assert rules == {name: rule for name, rule in expected.items() if "head.image" not in name}


def test_learning_rate_follows_the_official_schedule():
    recorded = reference.read(OFFICIAL, "golden_optim.json")["schedule_finetune"]
    recipe = load_object(METHOD.recipe)(METHOD.presets["paper"], 7)
    rate = METHOD.presets["paper"].scaled(recipe.optim_wrapper["optimizer"]["lr"])
    length = recorded["iterations_per_epoch"]
    assert rate == pytest.approx(recorded["base_lr"])
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
    schedulers = []
    for config in recipe.param_scheduler:
        options = {key: value for key, value in config.items() if key not in ("type", "convert_to_iter_based")}
        assert config["convert_to_iter_based"]
        schedulers.append(SCHEDULERS[config["type"]].build_iter_from_epoch(optimizer, epoch_length=length, **options))
    rates = []
    for _ in range(recorded["epochs"] * length):
        rates.append(optimizer.param_groups[0]["lr"])
        for scheduler in schedulers:
            scheduler.step()
    for iteration, expected in recorded["lr_at_iteration"].items():
        assert rates[int(iteration)] == pytest.approx(expected, rel=1e-6, abs=1e-13), iteration


# The official script mixes and smooths as VideoMAE's does.
@pytest.mark.parametrize("case", reference.read("videomae", "golden_loss.json")["cases"], ids=lambda case: case["case"])
def test_loss_on_mixed_targets_is_the_official_one(case):
    from mmaction.structures import ActionDataSample

    inputs, outputs = case["inputs"], case["outputs"]
    _, model = small(strong=True)
    labels = F.one_hot(torch.tensor(inputs["target"]), 7).float()
    mixed = inputs["lam"] * labels + (1 - inputs["lam"]) * labels.flip(0)
    logits = torch.tensor(inputs["logits"]["values"]).view(-1, 7).requires_grad_()
    loss = model.cls_head.loss_by_feat(logits, [ActionDataSample().set_gt_label(label) for label in mixed])["loss_cls"]
    loss.backward()
    assert loss.item() == pytest.approx(outputs["loss"], abs=1e-5, rel=1e-6)
    expected = torch.tensor(outputs["grad_logits"]["values"]).view(-1, 7)
    torch.testing.assert_close(logits.grad, expected, atol=1e-5, rtol=1e-5)
