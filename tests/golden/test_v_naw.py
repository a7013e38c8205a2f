import math

import numpy as np
import pytest
import torch
from mmengine.optim import CosineAnnealingLR
from mmengine.registry import DefaultScope

from benchmark.specs import Sampling
from benchmark.video.sampling import sample_frames
from benchmark_plugins.v_naw import METHOD
from benchmark_plugins.v_naw.recipe import LOSSES, official_keys
from tests.golden import reference
from tests.golden.fill import filled_state_dict

OFFICIAL = "v_naw"
STATES = {"swin": "state_dict.json", "resnet50": "state_dict_r50.json"}


def load(encoder):
    recipe, model = reference.build(METHOD, "official", num_classes=8, model={"encoder": encoder})
    entries = reference.read(OFFICIAL, STATES[encoder])["entries"]
    empty = {key: torch.zeros(shape, dtype=getattr(torch, kind)) for key, shape, kind in entries}
    # The masks and indices in it are zero: they follow from the sizes, and the model keeps its own.
    model.load_state_dict(official_keys(filled_state_dict(empty, 0)), strict=True)
    return recipe, model


@pytest.fixture(scope="module")
def swin():
    return load("swin")


@pytest.fixture(scope="module")
def resnet():
    return load("resnet50")


def output(file, case, name="logits"):
    [found] = [recorded for recorded in reference.read(OFFICIAL, file)["cases"] if recorded["case"] == case]
    return torch.tensor(found["outputs"][name]["values"]).view(found["outputs"][name]["shape"])


def close(ours, theirs):
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("encoder", "entries", "parameters"), [("swin", 252, 35_080_194), ("resnet50", 370, 30_873_160)]
)
def test_official_tensors_and_ours_are_the_same_set(encoder, entries, parameters, request):
    _, model = request.getfixturevalue(encoder.removesuffix("50"))
    recorded = reference.read(OFFICIAL, STATES[encoder])
    assert model.state_dict().keys() == official_keys({key: None for key, *_ in recorded["entries"]}).keys()
    assert len(model.state_dict()) == recorded["n_entries"] == entries
    assert sum(p.numel() for p in model.parameters()) == recorded["n_parameters"] == parameters


@pytest.mark.parametrize(
    ("file", "clip"), [pytest.param("golden.json", 0, marks=pytest.mark.slow), ("golden_scene.json", 1)]
)
def test_frame_logits_equal_the_official_ones(swin, file, clip):
    recipe, model = swin
    frames = reference.FRAMES[file](0, 2, 16, 112, 112)[clip : clip + 1]
    close(reference.logits(recipe, model, frames), output(file, "swin, T=16")[clip : clip + 1])


def test_mirrored_frames_give_the_official_logits_beside_the_clip(swin):
    recipe, model = swin
    frames = reference.make_frames(0, 2, 8, 112, 112)[:1]
    case = "swin, T=8, is_concat=True on [x, x flipped left-right]"
    both = reference.logits(recipe, model, torch.cat([frames, frames.flip(-1)]))
    close(both[:1], output("golden.json", case)[:1])
    close(both[1:], output("golden.json", case, "flipped_logits")[:1])


@pytest.mark.parametrize("file", reference.FRAMES)
def test_frame_logits_of_the_resnet_equal_the_official_ones(resnet, file):
    recipe, model = resnet
    frames = reference.FRAMES[file](0, 2, 8, 112, 112)
    close(reference.logits(recipe, model, frames), output(file, "r50, T=8"))


@pytest.mark.slow
def test_frame_logits_of_a_hundred_frames_equal_the_official_ones(swin):
    recipe, model = swin
    # A clip at a time: both at once need 5 GB.
    logits = [reference.logits(recipe, model, clip[None]) for clip in reference.make_frames(0, 2, 100, 112, 112)]
    close(torch.cat(logits), output("golden_clip100.json", "swin, T=100 (default --clip 100)"))


def test_time_does_not_matter_to_the_network(resnet):
    # Neither the official network nor the paper has a position embedding: reversed frames, reversed logits.
    recipe, model = resnet
    frames = reference.make_scene_frames(0, 1, 4, 64, 64)
    close(reference.logits(recipe, model, frames.flip(1)).flip(1), reference.logits(recipe, model, frames))


def test_frames_of_a_clip_matter_to_each_other(resnet):
    recipe, model = resnet
    frames = reference.make_scene_frames(0, 1, 4, 64, 64)
    change = reference.logits(recipe, model, frames[:, :2]) - reference.logits(recipe, model, frames)[:, :2]
    assert change.abs().max() > 1e-4


def official_loss(kind):
    from benchmark_plugins.v_naw.losses import NoiseAwareLoss

    terms = {
        "NLA": {},
        "NAW": {"cross_entropy": 1.0, "weighted": 0.4, "agreement": 0.0},
        "jsd": {"cross_entropy": 1.0, "weighted": 0.0, "agreement": 0.5},
        "None": {"cross_entropy": 1.0, "weighted": 0.0, "agreement": 0.0},
    }
    options = {key: value for key, value in LOSSES["official"]["loss_cls"].items() if key != "type"}
    return NoiseAwareLoss(**{**options, **terms[kind]})


@pytest.mark.parametrize(
    "case",
    [case for case in reference.read(OFFICIAL, "golden_loss.json")["cases"] if case["case"] != "constants"],
    ids=lambda case: case["case"],
)
def test_official_loss_and_its_gradients(case):
    reference.import_mmaction()
    inputs, outputs = case["inputs"], case["outputs"]
    logits, flipped = (
        torch.tensor(inputs[name]["values"]).view(-1, 8).requires_grad_() for name in ("logits", "flipped_logits")
    )
    loss = official_loss(inputs["type"])
    loss.set_epoch(inputs["epoch"], 50)
    targets = torch.nn.functional.one_hot(torch.tensor(inputs["target"]), 8).float()
    total = sum(loss(logits, targets, flipped if loss.agreement else None).values())
    total.backward()
    assert total.item() == pytest.approx(outputs["loss"], abs=1e-5)
    assert loss.growth == pytest.approx(outputs["eps"], abs=1e-6)
    compare_gradient(logits, outputs["grad_logits"])
    compare_gradient(flipped, outputs["grad_flipped_logits"])


def compare_gradient(tensor, recorded):
    if recorded is None:
        assert tensor.grad is None
    else:
        torch.testing.assert_close(tensor.grad.flatten(), torch.tensor(recorded["values"]), atol=1e-5, rtol=0)


def head(**options):
    reference.import_mmaction()
    import benchmark_plugins.v_naw.losses  # noqa: F401  (registers the loss)
    from benchmark_plugins.v_naw.model import NoiseAwareHead

    with DefaultScope.overwrite_default_scope("mmaction"):
        return NoiseAwareHead(num_classes=3, in_channels=4, **options)


def samples(**fields):
    from mmaction.structures import ActionDataSample

    result = []
    for values in zip(*fields.values(), strict=True):
        sample = ActionDataSample()
        for name, value in zip(fields, values, strict=True):
            sample.set_field(value, name)
        result.append(sample)
    return result


def test_papers_loss_is_equation_12_on_the_mean_of_the_frames_probabilities():
    torch.manual_seed(0)
    classifier, features = head(**LOSSES["paper"]), torch.randn(2, 5, 4)
    classifier.loss_cls.set_epoch(3, 10)
    total = sum(classifier.loss(features, samples(gt_label=torch.eye(3)[[0, 2]])).values())
    expected = 0.0
    for clip, label in zip(classifier(features).softmax(dim=2).mean(dim=1).tolist(), (0, 2), strict=True):
        other = max(value for index, value in enumerate(clip) if index != label)
        a, b = (0.80, -0.48 * (1 - math.exp(-4.5))) if clip[label] >= other else (0.851103, 0.805097)
        mean = torch.tensor([0.5, 0.5] if clip[label] >= other else [0.30, 0.15])
        density = torch.distributions.MultivariateNormal(mean, torch.tensor([[a, b], [b, a]]))
        expected += (1 + density.log_prob(torch.tensor([clip[label], other])).exp().item()) * -math.log(clip[label]) / 2
    assert total.item() == pytest.approx(expected, abs=1e-4)


def test_unlabelled_frames_are_left_out_of_the_loss():
    torch.manual_seed(0)
    classifier, features = head(**LOSSES["official"]), torch.randn(2, 4, 4)
    targets = torch.eye(3)[torch.tensor([[0, 1, 2, 0], [1, 1, 2, 0]])]
    targets[0, 1:] = 0
    given = samples(frame_target=targets, gt_label=torch.eye(3)[[0, 1]])
    before = classifier.loss(features, given)
    features[0, 1:] = 9.0
    assert classifier.loss(features, given) == before
    features[0, 0] = 9.0
    assert classifier.loss(features, given) != before


def test_papers_loss_is_of_clips_even_where_frames_have_labels_of_their_own():
    torch.manual_seed(0)
    classifier, features = head(), torch.randn(2, 4, 4)
    labels = torch.eye(3)[[0, 1]]
    other = torch.eye(3)[torch.tensor([[2, 2, 2, 0], [2, 2, 1, 1]])]
    of_clips = classifier.loss(features, samples(gt_label=labels))
    assert classifier.loss(features, samples(gt_label=labels, frame_target=other)) == of_clips


@pytest.mark.parametrize("level", ["clip", "frame"])
def test_a_label_of_the_clip_is_every_frames_target(level):
    torch.manual_seed(0)
    classifier, features = head(**{**LOSSES["paper"], "level": level}), torch.randn(2, 1, 4).expand(2, 4, 4)
    labels = torch.eye(3)[[0, 1]]
    by_frame = samples(frame_target=labels[:, None].expand(2, 4, 3), gt_label=labels)
    expected = sum(classifier.loss(features, by_frame).values())
    torch.testing.assert_close(sum(classifier.loss(features, samples(gt_label=labels)).values()), expected)


def test_predictions_are_of_frames_and_their_mean_of_the_clip():
    torch.manual_seed(0)
    classifier, features = head(), torch.randn(2, 5, 4)
    predicted = classifier.predict(features, samples(gt_label=torch.eye(3)[[0, 1]]))
    for sample, logits in zip(predicted, classifier(features), strict=True):
        torch.testing.assert_close(sample.frame_scores, logits.softmax(dim=1))
        torch.testing.assert_close(sample.pred_score, sample.frame_scores.mean(dim=0))


def test_a_window_of_a_hundred_frames_is_seen_whole_and_in_order():
    sampling = METHOD.presets["paper"].sampling
    assert sampling == Sampling(clips=100)
    assert sample_frames(100, sampling, None).tolist() == list(range(100))
    assert sample_frames(100, sampling, np.random.RandomState(0)).tolist() == list(range(100))


def test_recipe_is_the_official_optimiser_and_schedule(resnet):
    recipe, model = resnet
    wrapper = reference.optimizer(recipe, model)
    assert {(group["lr"], group["weight_decay"]) for group in wrapper.optimizer.param_groups} == {(1e-4, 0.01)}
    assert type(wrapper.optimizer) is torch.optim.AdamW
    official = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(official, T_max=2, eta_min=1e-5)
    [config] = recipe.param_scheduler
    ours = CosineAnnealingLR(wrapper, **{key: value for key, value in config.items() if key != "type"})
    for _ in range(50):
        assert wrapper.get_lr()["lr"] == pytest.approx([official.param_groups[0]["lr"]], rel=1e-6)
        official.step()
        schedule.step()
        ours.step()


def test_small_preset_is_the_same_network_at_another_size():
    recipe, model = reference.build(METHOD, "small", num_classes=3)
    assert reference.logits(recipe, model, torch.rand(2, 8, 3, 32, 32)).shape == (2, 8, 3)
