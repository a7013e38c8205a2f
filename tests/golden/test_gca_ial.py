import pytest
import torch
from mmengine.optim import StepLR

from benchmark.specs import load_object
from benchmark_plugins.gca_ial import METHOD
from tests.golden import reference

OFFICIAL = "ial_gca"


@pytest.fixture(scope="module")
def loaded():
    return reference.build_official(METHOD, OFFICIAL)


def test_official_tensors_and_ours_are_the_same_set(loaded):
    reference.check_size(loaded[1], OFFICIAL, entries=181, parameters=19_083_527)


def test_what_the_official_network_never_reads_is_frozen(loaded):
    _, model = loaded
    keys = load_object(METHOD.networks["model"].keys)
    unused = keys(dict.fromkeys(reference.read(OFFICIAL, "state_dict.json")["unused_by_forward"])).keys()
    # The auxiliary classifier of the third stage has an output, but its weight in the loss is 0.
    unweighted = {f"cls_head.auxiliary.2.{layer}.weight" for layer in (0, 1)}
    assert {name for name, p in model.named_parameters() if not p.requires_grad} == unused | unweighted


@pytest.mark.parametrize(("file", "case"), reference.cases(OFFICIAL))
def test_logits_equal_the_official_ones(loaded, file, case):
    recipe, model = loaded
    frames = reference.FRAMES[file](0, 2, 16, 112, 112)
    with torch.no_grad():
        features, _ = model.extract_feat(frames)
        auxiliary = model.cls_head.auxiliary_logits(features)
    recorded = next(entry for entry in reference.read(OFFICIAL, file)["cases"] if entry["case"] == case)["outputs"]
    found = [model.cls_head(features), *auxiliary]
    for name, logits in zip(("logits", "aux_logits_layer2", "aux_logits_layer3"), found, strict=True):
        torch.testing.assert_close(logits, values(recorded[name]), atol=1e-5, rtol=1e-5)
    assert torch.equal(reference.logits(recipe, model, frames[:1]).argmax(), found[0][0].argmax())


def test_reversed_frames_change_the_logits(loaded):
    recipe, model = loaded
    frames = reference.make_scene_frames(0, 2, 16, 112, 112)
    change = reference.logits(recipe, model, frames.flip(1)) - reference.logits(recipe, model, frames)
    assert change.abs().max() > 1e-3


@pytest.mark.parametrize("case", reference.read(OFFICIAL, "golden_loss.json")["cases"], ids=lambda case: case["case"])
def test_loss_and_its_gradients_are_the_official_ones(case):
    from benchmark_plugins.gca_ial.losses import intensity_aware_loss, weighted_losses

    inputs, outputs = case["inputs"], case["outputs"]
    names = ("logits", "aux_logits_layer2", "aux_logits_layer3")
    logits, aux2, aux3 = leaves = [values(inputs[name]).requires_grad_() for name in names]
    target = torch.tensor(inputs["target"])
    found = weighted_losses(logits, [aux2, aux3], torch.nn.functional.one_hot(target, 7).float(), 0.1, (0.05, 0.0))
    total = torch.stack(list(found.values())).sum()
    assert intensity_aware_loss(logits, target).item() == pytest.approx(outputs["loss_IAL"], rel=1e-5)
    assert found["loss_cls"].item() == pytest.approx(outputs["loss_CE"], rel=1e-5)
    assert found["loss_aux"].item() == pytest.approx(outputs["loss_auxiliary"], rel=1e-5)
    assert total.item() == pytest.approx(outputs["loss"], rel=1e-5)
    gradients = torch.autograd.grad(total, leaves, materialize_grads=True)
    for name, gradient in zip(("grad_logits", "grad_aux2", "grad_aux3"), gradients, strict=True):
        torch.testing.assert_close(gradient, values(outputs[name]), atol=1e-6, rtol=1e-5)


def test_the_head_adds_up_the_weighted_losses_of_soft_targets():
    from mmaction.structures import ActionDataSample

    from benchmark_plugins.gca_ial.losses import weighted_losses

    _, model = reference.build(METHOD, "small", num_classes=3)
    head, width = model.cls_head, METHOD.presets["small"].model["width"]
    features = (torch.rand(2, head.in_channels), torch.rand(2, 2 * width), torch.rand(2, 4 * width))
    target = torch.tensor([[0.2, 0.5, 0.3], [0.6, 0.4, 0.0]])
    found = head.loss(features, [ActionDataSample(gt_label=row) for row in target])
    assert found == weighted_losses(head(features), head.auxiliary_logits(features), target, 0.1, (0.05, 0.0))


def test_recipe_is_the_official_optimiser_and_schedule(loaded):
    recipe, model = loaded
    wrapper = reference.optimizer(recipe, model)
    assert set(reference.parameter_rules(METHOD, OFFICIAL, model, wrapper).values()) == {(0.001, 0.1)}
    [schedule] = recipe.param_scheduler
    assert schedule.pop("type") == "StepLR"
    steps = StepLR(wrapper, **schedule)
    rates = []
    for _ in range(METHOD.presets["paper"].epochs):
        rates += wrapper.get_lr()["lr"]
        steps.step()
    assert rates == pytest.approx([0.001 * 0.5 ** (epoch // 7) for epoch in range(70)])


def test_small_preset_is_the_same_network_at_another_size(loaded):
    recipe, model = reference.build(METHOD, "small", num_classes=3)
    assert model.state_dict().keys() == loaded[1].state_dict().keys()
    small = METHOD.presets["small"]
    frames = torch.rand(2, small.sampling.frames, 3, small.size, small.size)
    assert reference.logits(recipe, model, frames).shape == (2, 3)


def values(recorded):
    return torch.tensor(recorded["values"]).view(recorded["shape"])
