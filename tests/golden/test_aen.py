import dataclasses

import pytest
import torch
from mmengine.optim import StepLR

from benchmark.errors import UsageError
from benchmark.specs import load_object
from benchmark_plugins.aen import METHOD
from tests.golden import reference

OFFICIAL = "aen"
LEVELS = ("0", "1", "3")


def keys(network: str):
    return load_object(METHOD.networks[network].keys)


def case(file: str, name: str) -> dict:
    return next(case for case in reference.read(OFFICIAL, file)["cases"] if case["case"] == name)


def values(output: dict) -> torch.Tensor:
    return torch.tensor(output["values"]).view(output["shape"])


def small(num_classes: int = 7, **options):
    preset = METHOD.presets["small"]
    return reference.build(METHOD, "small", num_classes, model={**preset.model, **options})


@pytest.fixture(scope="module")
def loaded():
    recipe, model = reference.build(METHOD)
    state = keys("model")(reference.official_state(OFFICIAL))
    guide = keys("guide")(reference.official_state(OFFICIAL, "state_dict_2d.json"))
    model.load_state_dict(state | guide, strict=True)
    return recipe, model


@pytest.fixture(scope="module", params=["golden.json", "golden_scene.json"])
def seen(loaded, request):
    """The recorded outputs of a file, and ours on the same frames."""
    _, model = loaded
    frames = reference.FRAMES[request.param](0, 2, 16, 112, 112)
    with torch.no_grad():
        features = model(frames, mode="tensor", stage="backbone")
        return request.param, model, frames, features, model.cls_head.scores(features)


def test_official_tensors_and_ours_are_the_same_set(loaded):
    _, model = loaded
    for network, file, count, parameters in (
        ("model", "state_dict.json", 329, 52_912_317),
        ("guide", "state_dict_2d.json", 167, 13_095_628),
    ):
        own = {key for key in model.state_dict() if key.startswith("guide.") == (network == "guide")}
        recorded = reference.read(OFFICIAL, file)
        assert own == set(keys(network)({entry[0]: entry for entry in recorded["entries"]}))
        assert len(own) == recorded["n_entries"] == count
        assert sum(p.numel() for name, p in model.named_parameters() if name in own) == parameters


def test_a_whole_official_checkpoint_starts_the_guide_too():
    whole, part = (
        {entry[0]: entry for entry in reference.read(OFFICIAL, file)["entries"]}
        for file in ("state_dict.json", "state_dict_2d.json")
    )
    assert keys("guide")(whole).keys() == keys("guide")(part).keys()
    assert set(METHOD.networks["model"].signature) <= whole.keys()
    assert not set(METHOD.networks["model"].signature) <= part.keys()


def test_what_no_score_depends_on_is_not_trained(loaded):
    _, model = loaded
    unused = set(reference.read(OFFICIAL, "state_dict.json")["not_reached_by_PG_PL1_PL2"])
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad and not name.startswith("guide.")}
    assert frozen == set(keys("model")(dict.fromkeys(unused)))
    assert not any(p.requires_grad for p in model.guide.parameters())


def test_scores_equal_the_official_ones(seen):
    file, _, _, _, scores = seen
    outputs = case(file, "GenerateModel")["outputs"]
    for name, ours in (("x0", scores.overall), ("x1", scores.groups), ("x3", scores.emotions)):
        torch.testing.assert_close(ours, values(outputs[name]), atol=1e-5, rtol=1e-5)
    for name, ours in (("PG", scores.overall), ("PL1", scores.groups), ("PL2", scores.emotions)):
        torch.testing.assert_close(ours.log_softmax(dim=1), values(outputs[name]), atol=1e-5, rtol=1e-5)


def test_features_equal_the_official_ones(seen):
    file, _, _, features, _ = seen
    inside = case(file, "GenerateModel")["intermediates"]
    for level, clips, frames in zip(LEVELS, features.clips, features.frames, strict=True):
        for name, ours in ((f"t_former[{level}]", clips), (f"s_former[{level}]", frames)):
            [official] = [value for key, value in inside.items() if key.startswith(name)]
            ours = ours.double()
            assert ours.norm().item() == pytest.approx(official["l2"], rel=1e-5)
            assert ours.flatten()[:8].tolist() == pytest.approx(official["first8"], abs=1e-5)
            assert ours.flatten()[-8:].tolist() == pytest.approx(official["last8"], abs=1e-5)


def test_frame_logits_equal_the_official_ones(seen):
    file, model, frames, _, _ = seen
    with torch.no_grad():
        for name, ours in (
            ("GenerateModel", model.frame_logits(frames)),
            ("GenerateModel_2D", model.guide(frames.flatten(0, 1))),
        ):
            official = values(case(file, name)["outputs"]["out2D"])
            torch.testing.assert_close(ours.view(official.shape), official, atol=1e-5, rtol=1e-5)


def test_logits_are_the_log_of_equation_3(seen):
    _, model, _, features, scores = seen
    fused = 0.7 * scores.emotions.softmax(dim=1) + 0.3 * scores.overall.softmax(dim=1)
    with torch.no_grad():
        torch.testing.assert_close(model.cls_head(features), fused.log())


def test_the_official_mixture_is_an_option(seen):
    file, _, _, _, scores = seen
    _, model = small(fusion="log-probabilities")
    ours = model.cls_head.fuse(scores.emotions.log_softmax(dim=1), scores.overall.log_softmax(dim=1), 0.7)
    official = values(case(file, "GenerateModel")["outputs"]["blend_beta_0.3"])
    torch.testing.assert_close(ours, official, atol=1e-5, rtol=1e-5)


def test_reversed_frames_change_the_logits(loaded):
    recipe, model = loaded
    frames = reference.make_scene_frames(0, 1, 16, 112, 112)
    change = reference.logits(recipe, model, frames.flip(1)) - reference.logits(recipe, model, frames)
    assert change.abs().max() > 1e-3


def test_the_guide_tells_the_loss_and_is_left_alone():
    from mmaction.structures import ActionDataSample

    _, model = small()
    guide = model.guide
    frames = torch.rand(2, 8, 3, 32, 32)
    samples = [ActionDataSample().set_gt_label(torch.eye(7)[k]) for k in (1, 4)]
    model.train()
    assert set(model(frames, samples, mode="loss")) == {"loss_mc"}, "a guide that never learned must not guide"
    torch.nn.init.normal_(guide.fc2D.weight)
    before = {key: tensor.clone() for key, tensor in guide.state_dict().items()}
    model.train()
    losses = model(frames, samples, mode="loss")
    assert set(losses) == {"loss_mc", "loss_ta", "loss_ga"}
    sum(losses.values()).backward()
    assert all(torch.equal(before[key], tensor) for key, tensor in guide.state_dict().items())
    assert all((p.grad is not None) == p.requires_grad for p in model.parameters())


def test_the_converters_can_normalise_by_rows_as_equation_1_says():
    from benchmark_plugins.aen.network import Converter

    x, level = torch.randn(2, 5), torch.randn(2, 6)
    for softmax, axis in (("queries", 0), ("keys", 1)):
        converter = Converter(5, 6, softmax)
        with torch.no_grad():
            expected = []
            for query, v in zip(converter.query(x), level, strict=True):
                attention = torch.outer(query, v / 6**0.5).softmax(dim=axis)
                expected.append(converter.proj(attention @ v))
            torch.testing.assert_close(converter(x, level), torch.stack(expected))


def test_emotion_groups_can_be_chosen_and_must_be_for_unknown_classes():
    _, model = small(num_classes=3, grouping=(0, 1, 1))
    assert model.cls_head.fc1.out_features == 2
    for grouping in ((), (0, 2, 2), (0, 1)):
        with pytest.raises(UsageError, match="grouping"):
            small(num_classes=3, grouping=grouping)


def test_recipe_is_the_baseline_s_optimiser_and_schedule(loaded):
    recipe, model = loaded
    wrapper = reference.optimizer(recipe, model)
    [group] = wrapper.optimizer.param_groups
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (0.01, 0.9, 1e-4)
    [schedule] = recipe.param_scheduler
    steps = StepLR(wrapper, **{key: value for key, value in schedule.items() if key != "type"})
    rates = []
    for _ in range(100):
        rates += wrapper.get_lr()["lr"]
        steps.step()
    assert rates == pytest.approx([0.01] * 40 + [0.001] * 40 + [0.0001] * 20)


def test_a_pretrained_guide_starts_the_guide_and_the_video_network():
    pretraining = METHOD.pretrainings["guide"]
    spec = dataclasses.replace(METHOD, recipe=pretraining.recipe, presets=pretraining.presets)
    recipe, frame_model = reference.build(spec, "small")
    _, model = small()
    assert not model.guide.has_learned()
    exported = load_object(pretraining.export)(frame_model.state_dict())
    missing = model.load_state_dict(exported, strict=False)
    assert not missing.unexpected_keys
    assert not any(key.startswith(("guide.", "backbone.s_former.")) for key in missing.missing_keys)
    assert model.guide.has_learned()
    images = torch.rand(2, 1, 3, 32, 32)
    expected = reference.logits(recipe, frame_model, images)
    torch.testing.assert_close(model.guide(images.flatten(0, 1)), expected)
    with torch.no_grad():
        torch.testing.assert_close(model.frame_logits(images).squeeze(1), expected)


def test_the_guide_s_pretraining_trains_what_its_loss_reaches():
    from mmaction.structures import ActionDataSample

    pretraining = METHOD.pretrainings["guide"]
    spec = dataclasses.replace(METHOD, recipe=pretraining.recipe, presets=pretraining.presets)
    _, model = reference.build(spec, "small")
    samples = [ActionDataSample().set_gt_label(torch.eye(7)[k]) for k in (1, 4)]
    sum(model.train()(torch.rand(2, 1, 3, 32, 32), samples, mode="loss").values()).backward()
    assert all((p.grad is not None) == p.requires_grad for p in model.parameters())
    frozen = set(reference.read(OFFICIAL, "state_dict_2d.json")["unused_by_forward"])
    exported = {key for key, p in model.named_parameters() if not p.requires_grad}
    assert {f"guide.{key.removeprefix('backbone.')}" for key in exported} == set(keys("guide")(dict.fromkeys(frozen)))
