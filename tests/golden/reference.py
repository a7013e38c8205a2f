"""Set up a method exactly as the official model was when its golden numbers were recorded."""

from __future__ import annotations

import dataclasses
import importlib
import json
from pathlib import Path
from typing import Any

import torch
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import DefaultScope

from benchmark.plugin_functions import make_recipe, rename_tensors
from benchmark.specs import MethodSpec, Recipe
from benchmark.training.adapter import import_mmaction
from tests.golden.fill import filled_state_dict, make_frames, make_scene_frames

DATA = Path(__file__).with_name("data")
FRAMES = {"golden.json": make_frames, "golden_scene.json": make_scene_frames}


def read(method: str, file: str) -> Any:
    return json.loads((DATA / method / file).read_text())


def cases(method: str) -> list[tuple[str, str]]:
    """Every recorded case, as (file, case name)."""
    return [(file, case["case"]) for file in FRAMES for case in read(method, file)["cases"]]


def golden_logits(method: str, file: str, name: str) -> torch.Tensor:
    case = next(case for case in read(method, file)["cases"] if case["case"] == name)
    logits = case["outputs"]["logits"]
    return torch.tensor(logits["values"]).view(logits["shape"])


def official_state(method: str, file: str = "state_dict.json") -> dict[str, torch.Tensor]:
    """The official state dict, filled with the seed-0 weights of the golden runs."""
    entries = read(method, file)["entries"]
    empty = {key: torch.zeros(shape, dtype=getattr(torch, dtype)) for key, shape, dtype in entries}
    return filled_state_dict(empty, seed=0)


def build(spec: MethodSpec, preset: str = "paper", num_classes: int = 7, **changes: Any) -> tuple[Recipe, Any]:
    """The recipe and the recognizer (a torch module) of a preset, with some of the preset's fields changed."""
    import_mmaction()
    from mmaction.registry import MODELS

    recipe = make_recipe(spec.recipe, dataclasses.replace(spec.presets[preset], **changes), num_classes)
    for module in recipe.imports:
        importlib.import_module(module)
    with DefaultScope.overwrite_default_scope("mmaction"):
        model = MODELS.build({**recipe.model, "data_preprocessor": {"type": "ActionDataPreprocessor"}})
    return recipe, model.eval()


def build_official(spec: MethodSpec, method: str) -> tuple[Recipe, Any]:
    """The `paper` preset with the official state dict, every tensor of which must find its place."""
    recipe, model = build(spec)
    model.load_state_dict(rename_tensors(spec.networks["model"].keys, official_state(method)), strict=True)
    return recipe, model


def check_size(model: torch.nn.Module, method: str, entries: int, parameters: int) -> None:
    """The official number of tensors and of parameters, which the caller states too."""
    recorded = read(method, "state_dict.json")
    assert len(model.state_dict()) == recorded["n_entries"] == entries
    assert sum(p.numel() for p in model.parameters()) == recorded["n_parameters"] == parameters


def logits(recipe: Recipe, model: torch.nn.Module, frames: torch.Tensor) -> torch.Tensor:
    """Logits (B, K) for frames (B, T, 3, H, W) that are fed as they are."""
    if recipe.format_shape == "NCTHW":
        frames = frames.transpose(1, 2).unsqueeze(1).contiguous()
    with torch.no_grad():
        return model(frames, mode="tensor", stage="head")


def optimizer(recipe: Recipe, model: torch.nn.Module) -> OptimWrapper:
    with DefaultScope.overwrite_default_scope("mmaction"):
        return build_optim_wrapper(model, {"type": "OptimWrapper", **recipe.optim_wrapper})


def parameter_rules(
    spec: MethodSpec, method: str, model: torch.nn.Module, wrapper: OptimWrapper
) -> dict[str, tuple[float, float]]:
    """(learning rate, weight decay) of every parameter, by its official name."""
    names = [entry[0] for entry in read(method, "state_dict.json")["entries"]]
    official = rename_tensors(spec.networks["model"].keys, dict(zip(names, names, strict=True)))
    official_names = {id(parameter): official[name] for name, parameter in model.named_parameters()}
    return {
        official_names[id(parameter)]: (group["lr"], group["weight_decay"])
        for group in wrapper.optimizer.param_groups
        for parameter in group["params"]
    }
