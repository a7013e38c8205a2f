"""Weight files as each official repository writes them: read, recognised and loaded, in every format of torch."""

from __future__ import annotations

import argparse
import copy
import importlib
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmark.errors import IntegrityError
from benchmark.registry import registry
from benchmark.training.checkpoints import load_networks, our_names
from benchmark.training.recognition import classes_of, parameters_of, readme_of, recognise
from benchmark.training.weights import ORIGIN, Origin, read_weight_file, write_weights
from tests.golden import reference

METHODS = {"former-dfer": "former_dfer", "tsm": "tsm", "videomae": "videomae"}


@pytest.fixture(scope="module")
def models():
    """A small model of each method, and its weights under the official names."""
    found = {}
    for name, data in METHODS.items():
        spec = registry().find("methods", name)
        _, model = reference.build(spec, "small")
        own = model.state_dict()
        entries = [entry[0] for entry in reference.read(data, "state_dict.json")["entries"]]
        ours = our_names(spec.networks["model"], entries)
        found[name] = (model, {theirs: own[key].clone() for theirs, key in ours.items() if key in own})
    return found


@dataclass(frozen=True)
class Layout:
    """What a training script saves around a state dict, and what is said of it."""

    wrap: object
    wrapper: tuple[str, ...] = ()
    prefix: str = ""
    others: tuple[str, ...] = ()


def parallel(state):
    return {f"module.{key}": tensor for key, tensor in state.items()}


class RecorderMeter:
    """Stands for the class of Former-DFER's script; see `script`."""

    def __init__(self):
        self.losses, self.best = np.zeros((100, 2), dtype=np.float32), np.float64(0.5)


ARGS = argparse.Namespace(model="base", lr=1e-3, output_dir=Path("out"), device=torch.device("cpu"))
SGD = {"state": {0: {"momentum_buffer": torch.zeros(2)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
LAYOUTS = {
    "Former-DFER, AEN": Layout(
        lambda state: {
            "epoch": 100,
            "state_dict": parallel(state),
            "best_acc": torch.tensor(66.2),
            "optimizer": SGD,
            "recorder": RecorderMeter(),
        },
        ("state_dict",),
        "module.",
        ("epoch", "best_acc", "optimizer", "recorder"),
    ),
    "IAL": Layout(parallel, (), "module."),
    "M3DFEL": Layout(
        lambda state: {
            "epoch": 3,
            "state_dict": parallel(state),
            "best_wa": np.float64(0.6),
            "best_ua": np.float64(0.5),
            "optimizer": SGD,
            "args": ARGS,
        },
        ("state_dict",),
        "module.",
        ("epoch", "best_wa", "best_ua", "optimizer", "args"),
    ),
    "S2D, MAE-DFER, VideoMAE": Layout(
        lambda state: {"model": state, "optimizer": SGD, "epoch": 99, "scaler": {"scale": 65536.0}, "args": ARGS},
        ("model",),
        "",
        ("optimizer", "epoch", "scaler", "args"),
    ),
    "VideoMAE under DeepSpeed": Layout(
        lambda state: {"module": state, "global_steps": 7, "args": ARGS}, ("module",), "", ("global_steps", "args")
    ),
    "S2D's AffectNet model": Layout(
        lambda state: {"iter": 5, "model_state_dict": state, "optimizer_state_dict": SGD},
        ("model_state_dict",),
        "",
        ("iter", "optimizer_state_dict"),
    ),
    "TSM": Layout(
        lambda state: {"epoch": 50, "arch": "resnet18", "state_dict": parallel(state), "best_prec1": 70.1},
        ("state_dict",),
        "module.",
        ("epoch", "arch", "best_prec1"),
    ),
    "V-NAW": Layout(lambda state: state),
}


@pytest.fixture
def script(monkeypatch):
    """Lets RecorderMeter be pickled as a class of the training script, whose module is `__main__`, and forgotten."""
    main = sys.modules["__main__"]
    monkeypatch.setattr(RecorderMeter, "__module__", "__main__")
    monkeypatch.setattr(main, "RecorderMeter", RecorderMeter, raising=False)
    yield
    monkeypatch.undo()


# One method in every format, and the others in those that their own scripts write.
CASES = [
    *(("former-dfer", name, ".pth") for name in LAYOUTS),
    ("tsm", "TSM", ".pth.tar"),
    ("videomae", "S2D, MAE-DFER, VideoMAE", ".tar"),
    ("videomae", "VideoMAE under DeepSpeed", ".pt"),
]


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize(("method", "layout", "suffix"), CASES)
def test_every_official_format_is_read(models, script, tmp_path, method, layout, suffix, zipped):
    model, state = models[method]
    layout = LAYOUTS[layout]
    path = tmp_path / f"model_best{suffix}"
    torch.save(layout.wrap(state), path, _use_new_zipfile_serialization=zipped)
    file = read_weight_file(path)
    assert (file.wrapper, file.prefix, file.others) == (layout.wrapper, layout.prefix, layout.others)
    assert file.format == ("torch" if zipped else "torch before 1.6")
    assert file.state.keys() == state.keys()

    (match,) = recognise(file, registry()).matches
    assert (match.method.name, match.name, match.naming) == (method, "model", "official")
    assert classes_of(file, match) == 7

    other = copy.deepcopy(model)
    for tensor in other.state_dict().values():
        tensor.zero_()
    report = load_networks(other, match.method, {"model": path})["model"]
    assert (report.missing, report.unexpected, report.reinitialised) == ((), (), ())
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True))


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_no_official_format_can_smuggle_code(script, tmp_path, layout, zipped):
    class Malicious:
        def __reduce__(self):
            return importlib.import_module, ("this",)

    content = layout.wrap({"weight": torch.ones(2), "bias": Malicious()})
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    sys.modules.pop("this", None)
    with pytest.raises(IntegrityError, match="import_module"):
        read_weight_file(tmp_path / "w.pth")
    assert "this" not in sys.modules


def recorded():
    """Every official state dict that the golden tests have, with the method that it is of."""
    for path in sorted(reference.DATA.glob("*/state_dict.json")):
        folder = path.parent.name
        name = {"ial_gca": "gca-ial"}.get(folder, folder.replace("_", "-"))
        if name in registry().methods:
            yield pytest.param(folder, name, id=name)


@pytest.mark.parametrize(("data", "method"), recorded())
def test_official_names_tell_the_method_and_no_other(data, method, tmp_path):
    entries = reference.read(data, "state_dict.json")["entries"]
    torch.save({name: torch.zeros(shape[:1]) for name, shape, _ in entries}, tmp_path / "w")
    file = read_weight_file(tmp_path / "w")
    matches = recognise(file, registry()).matches
    assert [match.name for match in matches if match.method.name == method][:1] == ["model"]
    # Other networks of the same method may be parts of its files; other methods' never are.
    assert {(match.method.name, match.naming) for match in matches} == {(method, "official")}
    assert classes_of(file, matches[0]) == (8 if method == "v-naw" else 7)


@pytest.mark.parametrize("name", sorted(name for name, spec in registry().methods.items() if spec.networks))
def test_signatures_and_heads_have_names_of_ours(name):
    """So that files under our names are recognised too, and classifiers are known as such."""
    spec = registry().methods[name]
    _, model = reference.build(spec, "small")
    own = model.state_dict()
    for key, network in spec.networks.items():
        names = our_names(network, [*network.signature, *([network.head] if network.head else [])])
        assert names
        assert all(ours.startswith(network.prefix) for ours in names.values())
        if key == "model":
            assert set(names) == {*network.signature, network.head}
            assert set(names.values()) <= own.keys()
            assert own[names[network.head]].shape[0] == 7
        # Only what has a prefix can be told from the rest.
        assert network.prefix or key == "model"


def test_our_own_state_dict_is_recognised_by_its_names(models, tmp_path):
    torch.save(models["former-dfer"][0].state_dict(), tmp_path / "w.pth")
    file = read_weight_file(tmp_path / "w.pth")
    (match,) = recognise(file, registry()).matches
    assert (match.method.name, match.naming, classes_of(file, match)) == ("former-dfer", "ours", 7)
    parameters = sum(parameter.numel() for parameter in models["former-dfer"][0].parameters())
    assert parameters_of(file.state) == parameters


def test_the_half_of_a_model_is_recognised_as_one(models, tmp_path):
    """VideoMAE's pre-trained files hold an encoder under other names, and a decoder."""
    state = {f"encoder.{key}": tensor for key, tensor in models["videomae"][1].items() if "head" not in key}
    state = {key: tensor for key, tensor in state.items() if "fc_norm" not in key}
    torch.save({"model": {**state, "mask_token": torch.zeros(1)}}, tmp_path / "w.pth")
    found = recognise(read_weight_file(tmp_path / "w.pth"), registry()).matches
    assert ("videomae", "part", None) in {(match.method.name, match.naming, match.head) for match in found}


def test_a_file_of_nobody_is_recognised_as_nothing(tmp_path):
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "w.pth")
    assert recognise(read_weight_file(tmp_path / "w.pth"), registry()).matches == ()


def test_what_a_file_of_ours_says_comes_back(models, tmp_path):
    origin = Origin("former-dfer", "model", "small", ("sad", "happy"), "ab" * 32)
    write_weights(tmp_path / "w.safetensors", models["former-dfer"][0].state_dict(), origin)
    file = read_weight_file(tmp_path / "w.safetensors")
    assert (file.origin, file.format) == (origin, "safetensors")
    (match,) = recognise(file, registry()).matches
    assert (match.method.name, match.naming, classes_of(file, match)) == ("former-dfer", "ours", 7)


@pytest.mark.parametrize("metadata", [None, {}, {"method": "tsm"}, ["method"], "method network preset"])
def test_other_metadata_are_not_taken_for_ours(tmp_path, metadata):
    torch.save({"state_dict": {"weight": torch.ones(1)}, "meta": {ORIGIN: metadata}}, tmp_path / "w.pth")
    assert read_weight_file(tmp_path / "w.pth").origin is None


@pytest.mark.parametrize("order", ["{", "3", '{"a": 1}', "[1, 2]", 7])
def test_a_class_order_that_is_none_is_not_believed(tmp_path, order):
    said = {"method": "tsm", "network": "model", "preset": "paper", "class_order": order}
    torch.save({"state_dict": {"weight": torch.ones(1)}, "meta": {ORIGIN: said}}, tmp_path / "w.pth")
    assert read_weight_file(tmp_path / "w.pth").origin == Origin("tsm", "model", "paper")


def test_a_plugin_whose_renaming_fails_costs_only_itself(models, tmp_path, monkeypatch):
    from benchmark_plugins.tsm import recipe

    def broken(state):
        raise KeyError("conv1")

    monkeypatch.setattr(recipe, "official_keys", broken)
    torch.save(models["former-dfer"][1], tmp_path / "w.pth")
    found = recognise(read_weight_file(tmp_path / "w.pth"), registry())
    assert [match.method.name for match in found.matches] == ["former-dfer"]
    assert any("method 'tsm'" in problem and "KeyError" in problem for problem in found.problems)


def test_the_readme_is_the_plugins_own():
    readme = readme_of(registry().find("methods", "former-dfer"))
    assert readme.name == "README.md"
    assert readme.parent.name == "former_dfer"
