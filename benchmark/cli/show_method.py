"""What `benchmark show METHOD` says: the recipe as it would be run, and what papers report. Never builds the model."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmark.cli.output import note, print_fields, print_json, print_table
from benchmark.failures import show_trace
from benchmark.fence import PluginFault, fenced
from benchmark.plugin_functions import make_recipe
from benchmark.protocol import Protocol
from benchmark.specs import MethodSpec, Preset
from benchmark.units.recipe_text import recipe_facts
from benchmark.video.sampling import sample_frames

# Without a protocol recipes are shown for the most common number of classes.
CLASSES = 7
# Characters of a column of a preset.
WIDTH = 60


def show_method(
    spec: MethodSpec, fields: dict[str, Any], protocol: Protocol | None, count: int | None, as_json: bool
) -> int:
    """Print everything known of a method, as it is on the protocol's dataset; 3 if its recipe is broken.

    fields: the spec as plain values. count: also say which frames of a clip of so many are seen in testing.
    """
    presets = {name: preset.on(protocol.dataset) if protocol else preset for name, preset in spec.presets.items()}
    classes = len(protocol.classes) if protocol else CLASSES
    recipes, broken = _recipes(spec.name, spec.recipe, presets, classes)
    if count:
        for name, preset in presets.items():
            seen = sample_frames(count, preset.sampling, rng=None)
            recipes[name][f"of {count} frames"] = " ".join(map(str, seen))
    reported = reported_scores(spec.name)
    if as_json:
        print_json({**fields, "recipes": recipes, "reported": reported})
        return PluginFault.exit_code if broken else 0
    rest = {key: value for key, value in fields.items() if key not in ("presets", "networks", "pretrainings")}
    print_fields(rest)
    print()
    _print_presets([{**recipes[name], **_cost(preset)} for name, preset in presets.items()], presets)
    if not protocol and (special := _special_datasets(spec)):
        note(f"on {', '.join(special)} something is different: --protocol P shows the recipe as P trains it")
    if spec.networks:
        print()
        rows = [[name, network.title, ", ".join(network.class_order) or "-"] for name, network in spec.networks.items()]
        print_table(rows, ["--init", "network", "official class order"])
    for name, stage in spec.pretrainings.items():
        print()
        print(f"pretrain --stage {name}: {stage.title}; learns from {stage.data}, for --init {stage.network}=FILE")
        labelled = 0 if stage.data == "videos" else CLASSES
        facts, fault = _recipes(f"{spec.name}, {name}", stage.recipe, stage.presets, labelled)
        broken = broken or fault
        _print_presets([{**facts[preset], **_cost(stage.presets[preset])} for preset in stage.presets], stage.presets)
    if reported:
        print()
        print_table([list(row.values()) for row in reported], ["reported in", "row", "figure", "percent"])
    return PluginFault.exit_code if broken else 0


def _recipes(
    owner: str, recipe: str, presets: Mapping[str, Preset], classes: int
) -> tuple[dict[str, dict[str, str]], bool]:
    """Every preset's recipe in words, and whether one of them is broken, which is said."""
    facts: dict[str, dict[str, str]] = {}
    broken = False
    for name, preset in presets.items():
        try:
            with fenced(recipe):
                facts[name] = recipe_facts(make_recipe(recipe, preset, classes), preset)
        except PluginFault as error:
            show_trace(error)
            note(f"error: {owner}, preset {name}: {error}")
            facts[name], broken = {"recipe": f"broken: {error}"}, True
    return facts, broken


def _print_presets(columns: Sequence[Mapping[str, str]], names: Iterable[str]) -> None:
    keys = dict.fromkeys(key for column in columns for key in column)
    rows = [[key, *(textwrap.fill(column.get(key, "-"), WIDTH) for column in columns)] for key in keys]
    print_table(rows, ["preset", *names])


def _special_datasets(spec: MethodSpec) -> list[str]:
    return sorted({dataset for preset in spec.presets.values() for dataset in preset.datasets})


def _cost(preset: Preset) -> dict[str, str]:
    return {
        "parameters": f"{preset.parameters:,}" if preset.parameters else "not stated",
        "GFLOPs per clip": f"{preset.gflops:,.3f}" if preset.gflops else "not stated",
    }


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
