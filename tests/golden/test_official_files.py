"""From a file as each official repository writes it, through `weights import` and `build_model`, to official logits."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

import numpy as np
import pytest
import torch

import benchmark
from benchmark.cli.main import main
from tests.golden import reference


class RecorderMeter:
    """Former-DFER's scripts pickle one of these beside the weights, from `__main__`."""

    __module__ = "__main__"

    def __init__(self):
        self.losses = np.zeros((2, 2), dtype=np.float32)


ARGS = argparse.Namespace(model="base", lr=1e-3)


def parallel(state):
    return {f"module.{key}": tensor for key, tensor in state.items()}


def recorded(state):
    best = torch.tensor(1.0)
    return {"epoch": 1, "state_dict": parallel(state), "best_acc": best, "optimizer": {}, "recorder": RecorderMeter()}


def with_arguments(state):
    return {"model": state, "optimizer": {}, "epoch": 1, "scaler": {}, "args": ARGS}


def m3dfel(state):
    return {"epoch": 1, "state_dict": parallel(state), "best_wa": 0.5, "best_ua": 0.5, "optimizer": {}, "args": ARGS}


def tsm(state):
    return {"epoch": 1, "arch": "resnet18", "state_dict": parallel(state), "optimizer": {}, "best_prec1": 1.0}


@dataclass(frozen=True)
class Official:
    """A method's official files and what they give. `case` is of golden.json; `shape` is that of two clips."""

    method: str
    data: str
    save: object
    case: str
    shape: tuple[int, ...]
    classes: int = 7
    networks: tuple[tuple[str, str], ...] = (("model", "state_dict.json"),)
    file: str = "golden_scene.json"


FILES = [
    Official("former-dfer", "former_dfer", recorded, "", (16, 112)),
    Official("gca-ial", "ial_gca", parallel, "", (16, 112)),
    Official("m3dfel", "m3dfel", m3dfel, "", (16, 112)),
    Official("tsm", "tsm", tsm, "224", (8, 224)),
    Official("mae-dfer", "mae_dfer", with_arguments, "region", (16, 160)),
    Official("svfap", "svfap", with_arguments, "", (16, 160)),
    Official("s4d", "s4d", with_arguments, "A: ", (16, 160)),
    # The only recorded case whose texts are embedded as a real checkpoint's are.
    Official("dfer-clip", "dfer_clip", recorded, "T: ", (16, 224), file="golden.json"),
    Official("aen", "aen", recorded, "", (16, 112)),
    Official("videomae", "videomae", with_arguments, "224", (16, 224)),
    Official("v-naw", "v_naw", parallel, "swin, T=16", (16, 112), classes=8),
    Official(
        "s2d",
        "s2d",
        with_arguments,
        "",
        (16, 224),
        networks=(("model", "state_dict.json"), ("landmark", "state_dict_landmark.json")),
    ),
]
# A forward pass of these takes many seconds.
SLOW = {"videomae", "v-naw", "s2d", "svfap", "s4d", "dfer-clip"}


def expected(official):
    cases = reference.read(official.data, official.file)["cases"]
    (case,) = [case for case in cases if official.case in case["case"]][:1]
    outputs = {name: torch.tensor(found["values"]).view(found["shape"]) for name, found in case["outputs"].items()}
    if official.method == "aen":
        # Equation 3 of its paper; the official script mixes logarithms.
        return (0.7 * outputs["x3"].softmax(dim=1) + 0.3 * outputs["x0"].softmax(dim=1)).log()
    return outputs["logits"]


@pytest.mark.parametrize(
    "official", [pytest.param(o, id=o.method, marks=[pytest.mark.slow] * (o.method in SLOW)) for o in FILES]
)
def test_an_official_file_gives_the_official_logits(official, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.modules["__main__"], "RecorderMeter", RecorderMeter, raising=False)
    converted = {}
    for network, file in official.networks:
        source, target = tmp_path / f"{network}.pth.tar", tmp_path / f"{network}.safetensors"
        torch.save(official.save(reference.official_state(official.data, file)), source)
        options = ("--method", official.method, "--network", network)
        assert main(["weights", "import", *options, str(source), str(target)]) == 0, capsys.readouterr()
        source.unlink()
        converted[network] = target
    model = benchmark.build_model(official.method, num_classes=official.classes, checkpoint=converted)
    frames, size = official.shape
    clips = reference.FRAMES[official.file](0, 2, frames, size, size)[:1]
    logits = benchmark.logits(model, clips)
    torch.testing.assert_close(logits, expected(official)[:1], atol=1e-4, rtol=1e-4)
