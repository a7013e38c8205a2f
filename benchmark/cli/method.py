"""What `benchmark show METHOD` says: the recipe as it would be run, and what papers report. Never builds the model."""

from __future__ import annotations

import textwrap
from typing import Any

from benchmark.cli.output import note, print_fields, print_json, print_table
from benchmark.failures import show_trace
from benchmark.fence import PluginFault, fenced
from benchmark.specs import MethodSpec, Preset, make_recipe

# Recipes are shown for the most common number of classes.
CLASSES = 7
# Characters of a column of a preset.
WIDTH = 60


def show_method(spec: MethodSpec, fields: dict[str, Any], as_json: bool) -> int:
    """Print everything known of a method; 3 if its recipe is broken. fields: the spec as plain values."""
    recipes: dict[str, dict[str, str]] = {}
    broken = {}
    for name, preset in spec.presets.items():
        try:
            with fenced(spec.recipe):
                recipes[name] = recipe_facts(spec, preset)
        except PluginFault as error:
            show_trace(error)
            note(f"error: {spec.name}, preset {name}: {error}")
            recipes[name] = broken[name] = {"recipe": f"broken: {error}"}
    code = PluginFault.exit_code if broken else 0
    reported = reported_scores(spec.name)
    if as_json:
        print_json({**fields, "recipes": recipes, "reported": reported})
        return code
    rest = {key: value for key, value in fields.items() if key not in ("presets", "networks", "pretrainings")}
    print_fields(rest)
    print()
    columns = [{**_preset_facts(preset), **recipes[name]} for name, preset in spec.presets.items()]
    keys = dict.fromkeys(key for column in columns for key in column)
    rows = [[key, *(textwrap.fill(column.get(key, "-"), WIDTH) for column in columns)] for key in keys]
    print_table(rows, ["preset", *spec.presets])
    if spec.networks:
        print()
        rows = [[name, network.title, ", ".join(network.class_order) or "-"] for name, network in spec.networks.items()]
        print_table(rows, ["--init", "network", "official class order"])
    if spec.pretrainings:
        print()
        rows = [[name, stage.title, stage.data, stage.network] for name, stage in spec.pretrainings.items()]
        print_table(rows, ["pretrain --stage", "what it is", "learns from", "--init"])
    if reported:
        print()
        print_table([list(row.values()) for row in reported], ["reported in", "row", "figure", "percent"])
    return code


def _preset_facts(preset: Preset) -> dict[str, str]:
    sampling = preset.sampling
    return {
        "input": f"{sampling.frames} frames of {preset.size}x{preset.size}",
        "sampling": f"{sampling.clips} x {sampling.length} frames, stride {sampling.stride}",
        "mean": ", ".join(f"{value:g}" for value in preset.mean),
        "std": ", ".join(f"{value:g}" for value in preset.std),
        "parameters": f"{preset.parameters:,}" if preset.parameters else "not stated",
        "GFLOPs per clip": f"{preset.gflops:,.3f}" if preset.gflops else "not stated",
        "pre-training": preset.pretraining,
        "epochs": str(preset.epochs),
        "batch size": str(preset.batch_size),
        "clips": ("classes equally often" if preset.balanced else "each once")
        + (f", {preset.copies} copies in a batch" if preset.copies > 1 else ""),
    }


def recipe_facts(spec: MethodSpec, preset: Preset) -> dict[str, str]:
    """The recipe's optimiser, schedule and augmentation, each as one line."""
    recipe = make_recipe(spec.recipe, preset, CLASSES)
    head = recipe.model.get("cls_head") or {}
    smoothing = head.get("label_smooth_eps")
    return {
        "optimiser": _call(recipe.optim_wrapper["optimizer"]),
        "schedule": "; ".join(map(_call, recipe.param_scheduler)),
        "training": "; ".join(map(_call, recipe.train_transforms)),
        "mixing": _call(recipe.mixing) if recipe.mixing else "-",
        "label smoothing": f"{smoothing:g}" if smoothing else "-",
        "testing": "; ".join(map(_call, recipe.test_transforms)),
    }


def _call(config: dict[str, Any]) -> str:
    """A config as it is read: `SGD(lr=0.01, momentum=0.9)`."""
    options = [f"{key}={_value(value)}" for key, value in config.items() if key != "type"]
    return f"{config['type']}({', '.join(options)})"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return _call(value) if "type" in value else str(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def reported_scores(method: str) -> list[dict[str, str]]:
    """What the literature prints for the method, class by class left out; figures in percent, as printed."""
    from benchmark.leaderboard.reported import load_reported, shipped_tables

    rows = []
    for table in load_reported(shipped_tables()):
        for row in (row for row in table.rows if row.plugin == method):
            setting = [*row.setting.values(), *(f"+{used.name}" for used in row.augmentations), row.labels or ""]
            for column, figure in zip(table.columns, row.figures, strict=True):
                if figure is not None and column.emotion is None:
                    rows.append(
                        {
                            "source": table.source,
                            "row": " ".join(filter(None, [row.method, *setting])),
                            "figure": f"{column.heading} on {', '.join(table.datasets)}",
                            "percent": str(figure),
                        }
                    )
    return rows
