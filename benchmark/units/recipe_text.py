"""What a recipe comes to, item by item, as text: the words of `benchmark show` and of the plugins' own tables."""

from __future__ import annotations

from typing import Any

from benchmark.specs import Preset, Recipe

# What a head is told of its network and of the benchmark, which is no part of how it learns.
NOT_LEARNING = ("num_classes", "in_channels", "average_clips", "num_segments", "spatial_type", "init_std", "unused")


def recipe_facts(recipe: Recipe, preset: Preset) -> dict[str, str]:
    """The recipe as the preset makes it, by item; nothing is built, and torch is not imported."""
    sampling, optimizer = preset.sampling, recipe.optim_wrapper["optimizer"]
    head = recipe.model.get("cls_head") or {}
    return {
        "input": f"{sampling.frames} frames of {preset.size}x{preset.size}",
        "sampling": f"{sampling.clips} x {sampling.length}, stride {sampling.stride}",
        "pixels": f"minus ({_numbers(preset.mean)}), over ({_numbers(preset.std)})",
        "training": "; ".join(map(call, recipe.train_transforms)) or "-",
        "mixing": call(recipe.mixing) if recipe.mixing else "-",
        "loss": call({key: value for key, value in head.items() if key not in NOT_LEARNING}) if head else "the model's",
        "optimiser": _optimiser(recipe),
        "learning rate": rate_text(preset, optimizer["lr"]),
        "schedule": "; ".join(map(call, recipe.param_scheduler)),
        "epochs": str(preset.epochs),
        "batch": _batch(preset),
        "batch statistics": f"of {preset.statistics} clips" if preset.statistics else "of the batch",
        "testing": "; ".join(map(call, recipe.test_transforms)),
        "official views": _views(recipe, preset),
        "starts from": preset.pretraining,
    }


def views_text(preset: Preset) -> str:
    """How the official evaluation looks at a clip."""
    return f"{preset.views.segments} segments x {preset.views.crops} crops" if preset.views else "one"


def _views(recipe: Recipe, preset: Preset) -> str:
    """The same, and how many of the views can differ: crops of square frames don't, nor do runs that span the clip."""
    if preset.views is None:
        return "one"
    crops = preset.views.crops if any(step["type"] == "CenterCrop" for step in recipe.test_transforms) else 1
    different = crops * (preset.views.segments if preset.sampling.clips == 1 else 1)
    equal = "" if different == preset.views.segments * preset.views.crops else f", of which {different} differ"
    return views_text(preset) + equal


def rate_text(preset: Preset, rate: float) -> str:
    """The learning rate of training, and of what it is a part or a multiple."""
    reference = preset.reference_batch or preset.batch_size
    scaled = "" if reference == preset.batch_size else f" ({rate:.4g} per {reference})"
    return f"{preset.scaled(rate):.4g} for a batch of {preset.batch_size}{scaled}"


def _optimiser(recipe: Recipe) -> str:
    """The optimiser without its rate, which parameters it treats differently, and the clipping of gradients."""
    optimizer = {key: value for key, value in recipe.optim_wrapper["optimizer"].items() if key != "lr"}
    extra = [
        f"{key}={_value(recipe.optim_wrapper[key])}"
        for key in ("paramwise_cfg", "clip_grad")
        if key in recipe.optim_wrapper
    ]
    return "; ".join([call(optimizer), *extra])


def _batch(preset: Preset) -> str:
    copies = f", {preset.copies} copies of each" if preset.copies > 1 else ""
    return f"{preset.batch_size} clips{copies}, {'classes equally often' if preset.balanced else 'each clip once'}"


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def call(config: dict[str, Any]) -> str:
    """A config as it is read: `SGD(lr=0.01, momentum=0.9)`."""
    options = [f"{key}={_value(value)}" for key, value in config.items() if key != "type"]
    return f"{config['type']}({', '.join(options)})"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        inside = ", ".join(f"{key}={_value(item)}" for key, item in value.items())
        return call(value) if "type" in value else f"{{{inside}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
