"""My plugin: what the benchmark must know of it. Importing this must not import torch."""

from benchmark import hookimpl
from benchmark.module_recipe import module_network, module_recipe
from benchmark.specs import MethodSpec, Preset, Recipe, Sampling

METHOD = MethodSpec(
    name="my-plugin",
    title="My plugin",
    citation="Who wrote it. Its title. Where it appeared, 2026.",
    licence="MIT",
    recipe="my_plugin:recipe",
    presets={
        # The paper's size and training. `model` holds what the module is built with, beside num_classes.
        "paper": Preset(
            size=112,
            sampling=Sampling(clips=16),
            epochs=50,
            batch_size=32,
            parameters=1_114_247,
            gflops=2.341,
            model={"width": 64},
        ),
        # The same code at a size that trains in seconds on two cores, for `--demo` and for tests.
        "small": Preset(
            size=32,
            sampling=Sampling(clips=8),
            epochs=20,
            batch_size=8,
            parameters=71_207,
            gflops=0.008,
            decode_size=36,
            model={"width": 16},
        ),
    },
    # The layer that gives the logits: weights for other classes, or in another order, are told by it.
    networks={"model": module_network(classifier="classifier")},
    official_evaluation="none",
)


def recipe(preset: Preset, num_classes: int) -> Recipe:
    """The module, and how it is trained; clips reach it as (B, 3, T, H, W), or with clip="TCHW" as (B, T, 3, H, W)."""
    return module_recipe("my_plugin.model:MyPlugin", preset, num_classes, clip="CTHW", lr=0.002)


@hookimpl
def benchmark_methods() -> list[MethodSpec]:
    """The methods of this package."""
    return [METHOD]
