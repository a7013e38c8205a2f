"""The functions that specs point at by import path: the type of each, and calls that check what it gives.

Metrics are called through `benchmark.scoring.computing`, a layout's `read` through `benchmark.datasets.clips`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from benchmark.fence import PluginFault, fenced, load_object
from benchmark.spec_types import fault_of
from benchmark.specs import AugmentationSpec, Clip, DatasetLayout, Preset, Recipe, ReportProgress

if TYPE_CHECKING:
    import numpy as np

# `MethodSpec.recipe`, `Pretraining.recipe`: from a preset and the number of classes. What a model gets and must return
# is said in `Recipe`.
MakeRecipe = Callable[[Preset, int], Recipe]
# `Network.keys`, `Pretraining.export`: the same values under other names, some of them left out.
RenameTensors = Callable[[Mapping[str, Any]], dict[str, Any]]
# `DatasetLayout.find`, `.read`, `.read_unlabelled` and `.synthesize`.
FindDataset = Callable[[Path], Path | None]
ReadDataset = Callable[[Path, bool], list[Clip]]
ReadUnlabelled = Callable[[Path], list[Clip]]
Synthesize = Callable[[Path, int, int, ReportProgress], None]
# `MetricSpec.compute`: scores (...) of confusions (..., K, K), or one of targets and probabilities (N, K).
ScoreConfusion = Callable[["np.ndarray"], "np.ndarray"]
ScoreTargets = Callable[["np.ndarray", "np.ndarray"], float]

_Value = TypeVar("_Value")


class BuildAugmentation(Protocol):
    """`AugmentationSpec.build`: from the number of classes and the spec's options, by name."""

    def __call__(self, num_classes: int, *rest: Any, **options: Any) -> dict[str, Any]:
        """The config of a transform or a blending."""


def make_recipe(import_path: str, preset: Preset, num_classes: int) -> Recipe:
    """What the recipe at `import_path` gives; PluginFault if that is no recipe."""
    function: MakeRecipe = load_object(import_path)
    recipe = function(preset, num_classes)
    with fenced(import_path):
        wrong = type(recipe) is not Recipe
        fault = f"gave a {type(recipe).__name__}, not a Recipe" if wrong else fault_of(recipe) or _rate_fault(recipe)
    if fault:
        raise PluginFault(f"{import_path}: {fault}")
    return recipe


def _rate_fault(recipe: Recipe) -> str | None:
    """The learning rate follows the batch, and records keep it: a recipe states it, whatever its optimiser assumes."""
    optimizer = recipe.optim_wrapper.get("optimizer")
    rate = optimizer.get("lr") if isinstance(optimizer, dict) else None
    if isinstance(rate, (int, float)) and not isinstance(rate, bool):
        return None
    return "optim_wrapper: must state the learning rate, as a number under optimizer: lr"


def rename_tensors(import_path: str, state: Mapping[str, _Value]) -> dict[str, _Value]:
    """The values under the names that the function at `import_path` gives them; PluginFault if it gives no dict."""
    function: RenameTensors = load_object(import_path)
    renamed = function(state)
    if not isinstance(renamed, dict) or not all(isinstance(name, str) for name in renamed):
        raise PluginFault(f"{import_path}: gave {type(renamed).__name__}, not a dict by tensor names")
    return renamed


def build_augmentation(spec: AugmentationSpec, num_classes: int, options: Mapping[str, Any]) -> dict[str, Any]:
    """The config of the augmentation's transform or blending; PluginFault if that is no config."""
    function: BuildAugmentation = load_object(spec.build)
    built = function(num_classes=num_classes, **options)
    if not isinstance(built, dict) or not isinstance(built.get("type"), str):
        raise PluginFault(f"{spec.build}: gave {type(built).__name__}, not a dict with a 'type'")
    return built


def find_dataset(layout: DatasetLayout, data_root: Path) -> Path | None:
    """The dataset's root inside a data root, or None; PluginFault if the layout gives something else than a path."""
    function: FindDataset = load_object(layout.find)
    root = function(data_root)
    if root is not None and not isinstance(root, Path):
        raise PluginFault(f"{layout.find}: gave {type(root).__name__}, not a path")
    return root


def synthesize_dataset(layout: DatasetLayout, out: Path, clips: int, seed: int, report: ReportProgress) -> None:
    """Write the dataset's tree with made-up content to the folder `out`."""
    function: Synthesize = load_object(layout.synthesize)
    function(out, clips, seed, report)
