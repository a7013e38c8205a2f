"""A method of two networks, each from a file of its own or both from one; and classifiers in another class order."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from benchmark.errors import EnvironmentProblem, IntegrityError, UsageError
from benchmark.specs import MethodSpec, Network
from benchmark.training.checkpoints import load_networks
from benchmark.training.weights import Origin, write_weights

OFFICIAL = ("happy", "sad", "neutral")
PROTOCOL = ("neutral", "happy", "sad")
HERE = "tests.training.test_load_networks"


class Recognizer(nn.Module):
    def __init__(self, classes=3, width=4):
        super().__init__()
        self.backbone = nn.Linear(2, width)
        self.guide = nn.ModuleDict({"net": nn.Linear(2, width), "fc": nn.Linear(width, classes)})
        self.cls_head = nn.ModuleDict({"fc": nn.Linear(width, classes), "side": nn.Linear(width, 5)})


def model_keys(state):
    parts = {"net": "backbone", "fc": "cls_head.fc", "side": "cls_head.side", "extra": "extra"}
    return renamed(state, parts)


def guide_keys(state):
    return renamed(state, {"net": "guide.net", "fc2d": "guide.fc"})


def renamed(state, parts):
    """Official parts under our names; all others are dropped."""
    split = {key: key.partition(".") for key in state}
    return {f"{parts[part]}.{rest}": state[key] for key, (part, _, rest) in split.items() if part in parts}


METHOD = MethodSpec(
    name="two",
    title="Two networks",
    citation="",
    licence="",
    recipe=f"{HERE}:recipe",
    presets={},
    official_evaluation="",
    networks={
        "model": Network("the classifier", f"{HERE}:model_keys", ("side.weight",), "fc.weight", OFFICIAL),
        "guide": Network("the guide", f"{HERE}:guide_keys", ("fc2d.weight",), "fc2d.weight", OFFICIAL, prefix="guide."),
    },
)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Recognizer()


def official(classes=3, width=4):
    torch.manual_seed(1)
    parts = {"net": nn.Linear(2, width), "fc": nn.Linear(width, classes), "side": nn.Linear(width, 5)}
    return nn.ModuleDict(parts).state_dict()


def official_guide():
    torch.manual_seed(2)
    return nn.ModuleDict({"net": nn.Linear(2, 4), "fc2d": nn.Linear(4, 3)}).state_dict()


def saved(path, state):
    torch.save(state, path)
    return path


def test_other_networks_are_not_missing_from_an_official_file(model, tmp_path):
    fresh = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    reports = load_networks(model, METHOD, {"model": saved(tmp_path / "m.pth", official())})
    assert reports["model"].missing == ()
    assert len(reports["model"].loaded) == 6
    assert torch.equal(model.cls_head["fc"].weight, official()["fc.weight"])
    assert all(torch.equal(tensor, fresh[key]) for key, tensor in model.state_dict().items() if "guide" in key)


def test_each_network_starts_from_its_own_file(model, tmp_path):
    files = {
        "model": saved(tmp_path / "m.pth", official()),
        "guide": saved(tmp_path / "g.pth", official_guide()),
    }
    reports = load_networks(model, METHOD, files)
    assert {name: report.missing for name, report in reports.items()} == {"model": (), "guide": ()}
    assert torch.equal(model.guide["net"].weight, official_guide()["net.weight"])
    assert torch.equal(model.backbone.weight, official()["net.weight"])


@pytest.mark.parametrize("order", [("model", "guide"), ("guide", "model")])
def test_a_whole_checkpoint_is_enough_and_gives_way_to_a_file_of_its_own(model, tmp_path, order):
    torch.manual_seed(3)
    whole = Recognizer().state_dict()
    files = {"model": saved(tmp_path / "m.pth", whole), "guide": saved(tmp_path / "g.pth", official_guide())}
    report = load_networks(model, METHOD, {"model": files["model"]})["model"]
    assert (report.missing, report.unexpected) == ((), ())
    assert all(torch.equal(tensor, whole[key]) for key, tensor in model.state_dict().items())
    reports = load_networks(model, METHOD, {name: files[name] for name in order})
    assert all((report.missing, report.unexpected) == ((), ()) for report in reports.values())
    assert torch.equal(model.guide["net"].weight, official_guide()["net.weight"])
    assert torch.equal(model.backbone.weight, whole["backbone.weight"])


def test_a_network_takes_only_its_part_of_a_whole_checkpoint(model, tmp_path):
    fresh = model.backbone.weight.clone()
    torch.manual_seed(3)
    whole = Recognizer().state_dict()
    report = load_networks(model, METHOD, {"guide": saved(tmp_path / "m.pth", whole)})["guide"]
    assert (report.missing, report.unexpected) == ((), ())
    assert torch.equal(model.backbone.weight, fresh)
    assert torch.equal(model.guide["fc"].weight, whole["guide.fc.weight"])


def test_what_is_missing_or_unexpected_is_said_by_name(model, tmp_path):
    state = {key: tensor for key, tensor in official().items() if key != "net.bias"}
    path = saved(tmp_path / "m.pth", {**state, "extra.scale": torch.ones(1)})
    report = load_networks(model, METHOD, {"model": path})["model"]
    assert (report.missing, report.unexpected) == (("backbone.bias",), ("extra.scale",))
    assert "5 tensors loaded; 1 missing" in report.summary
    assert "backbone.bias" in report.summary
    assert "extra.scale" in report.summary


@pytest.mark.parametrize(
    ("files", "error", "message"),
    [
        ({"gide": "m.pth"}, UsageError, "two: unknown network 'gide'; did you mean 'guide'"),
        ({"model": "absent.pth"}, EnvironmentProblem, "no weight file"),
        ({"model": "wide.pth"}, IntegrityError, "wide.pth: these weights are of another size .* weights inspect"),
        ({"guide": "model-only.pth"}, IntegrityError, "another model"),
        ({"model": "head.pth"}, IntegrityError, "another model: apart from a classifier"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_files_name(model, tmp_path, files, error, message):
    saved(tmp_path / "wide.pth", official(width=8))
    saved(tmp_path / "model-only.pth", {"side.weight": torch.ones(5, 4)})
    saved(tmp_path / "head.pth", {"fc.weight": torch.ones(3, 4), "other.weight": torch.ones(1)})
    with pytest.raises(error, match=message):
        load_networks(model, METHOD, {name: tmp_path / file for name, file in files.items()})


def test_an_official_classifier_is_put_into_the_protocols_order(model, tmp_path):
    files = {"model": saved(tmp_path / "m.pth", official()), "guide": saved(tmp_path / "g.pth", official_guide())}
    reports = load_networks(model, METHOD, files, PROTOCOL)
    assert set(reports["model"].reordered) == {"cls_head.fc.weight", "cls_head.fc.bias"}
    assert set(reports["guide"].reordered) == {"guide.fc.weight", "guide.fc.bias"}
    for position, name in enumerate(PROTOCOL):
        there = OFFICIAL.index(name)
        assert torch.equal(model.cls_head["fc"].weight[position], official()["fc.weight"][there])
        assert model.cls_head["fc"].bias[position] == official()["fc.bias"][there]
        assert torch.equal(model.guide["fc"].weight[position], official_guide()["fc2d.weight"][there])
    assert torch.equal(model.cls_head["side"].weight, official()["side.weight"])
    assert "class order" in reports["model"].summary


@pytest.mark.parametrize("classes", [None, OFFICIAL])
def test_a_classifier_in_the_right_order_stays_as_it_is(model, tmp_path, classes):
    report = load_networks(model, METHOD, {"model": saved(tmp_path / "m.pth", official())}, classes)["model"]
    assert (report.reordered, report.reinitialised, report.order_unknown) == ((), (), False)
    assert report.classifier == (("cls_head.fc.weight", "cls_head.fc.bias") if classes else ())
    assert torch.equal(model.cls_head["fc"].weight, official()["fc.weight"])


def test_a_classifier_of_other_emotions_starts_afresh(model, tmp_path):
    fresh = model.cls_head["fc"].weight.clone()
    files = {"model": saved(tmp_path / "m.pth", official())}
    report = load_networks(model, METHOD, files, ("happy", "sad", "contempt"))["model"]
    assert set(report.reinitialised) == {"cls_head.fc.weight", "cls_head.fc.bias"}
    assert torch.equal(model.cls_head["fc"].weight, fresh)


def test_a_classifier_for_more_classes_starts_afresh(model, tmp_path):
    report = load_networks(model, METHOD, {"model": saved(tmp_path / "m.pth", official(classes=5))}, PROTOCOL)["model"]
    assert set(report.reinitialised) == {"cls_head.fc.weight", "cls_head.fc.bias"}
    assert report.missing == ()


def test_the_order_in_a_file_of_ours_counts(model, tmp_path):
    torch.manual_seed(3)
    whole = Recognizer().state_dict()
    write_weights(tmp_path / "w.safetensors", whole, Origin("two", "model", "paper", ("sad", "neutral", "happy")))
    load_networks(model, METHOD, {"model": tmp_path / "w.safetensors"}, PROTOCOL)
    assert torch.equal(model.cls_head["fc"].weight, whole["cls_head.fc.weight"][[1, 2, 0]])
    assert torch.equal(model.guide["fc"].bias, whole["guide.fc.bias"][[1, 2, 0]])


def test_an_order_that_nothing_tells_is_said_to_be_unknown(model, tmp_path):
    torch.manual_seed(3)
    whole = Recognizer().state_dict()
    report = load_networks(model, METHOD, {"model": saved(tmp_path / "w.pth", whole)}, PROTOCOL)["model"]
    assert report.order_unknown
    assert torch.equal(model.cls_head["fc"].weight, whole["cls_head.fc.weight"])
    assert "not known" in report.summary


def test_what_was_filled_is_told_by_what_was_loaded_and_not_by_the_files_name(model, tmp_path):
    torch.manual_seed(3)
    whole = saved(tmp_path / "whole.pth", Recognizer().state_dict())
    assert load_networks(model, METHOD, {"model": whole})["model"].filled == ("guide", "model")
    assert load_networks(model, METHOD, {"guide": whole})["guide"].filled == ("guide",)
    video = saved(tmp_path / "m.pth", official())
    assert load_networks(model, METHOD, {"model": video})["model"].filled == ("model",)


def test_a_part_without_its_classifier_is_not_filled(model, tmp_path):
    torch.manual_seed(3)
    other = saved(tmp_path / "other.pth", Recognizer(classes=4).state_dict())
    assert load_networks(model, METHOD, {"model": other}, PROTOCOL)["model"].filled == ("model",)
