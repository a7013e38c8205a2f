"""My plugin: what the benchmark must know of it. Importing this must not import torch."""

from typing import Any

from benchmark import hookimpl
from benchmark.errors import UsageError
from benchmark.specs import AugmentationSpec

AUGMENTATION = AugmentationSpec(
    name="my-plugin",
    title="My plugin",
    citation="Who wrote it. Its title. Where it appeared, 2026.",
    touches=frozenset({"pixels"}),
    build="my_plugin:build",
    options={"strength": 0.4},
    imports=("my_plugin.transform",),
)


def build(num_classes: int, strength: float = 0.4) -> dict[str, Any]:
    """The transform. strength: how much darker a clip may become, 0 to 1; `--augment my-plugin:strength=0.2`."""
    if not 0 < strength <= 1:
        raise UsageError(f"my-plugin: strength must be above 0 and at most 1, not {strength}")
    return dict(type="MyPluginTransform", strength=strength)


@hookimpl
def benchmark_augmentations() -> list[AugmentationSpec]:
    """The augmentations of this package."""
    return [AUGMENTATION]
