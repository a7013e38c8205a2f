"""My plugin: what the benchmark must know of it. Importing this must not import torch."""

from benchmark import hookimpl
from benchmark.specs import MethodSpec, Preset, Sampling

METHOD = MethodSpec(
    name="my-plugin",
    title="My plugin",
    citation="Who wrote it. Its title. Where it appeared, 2026.",
    licence="MIT",
    recipe="my_plugin.recipe:recipe",
    presets={
        # The paper's size and training.
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
    official_evaluation="none",
)


@hookimpl
def benchmark_methods() -> list[MethodSpec]:
    """The methods of this package."""
    return [METHOD]
