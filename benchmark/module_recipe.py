"""Training for a method that is a plain torch module, which need not know of MMEngine or MMAction2.

The module is built as `Module(num_classes=K, **options)` and called with a batch of clips, float32, normalised as the
preset says: (B, T, 3, H, W), or (B, 3, T, H, W), whichever it wants. It returns logits (B, K). Loss, optimiser and loop
are the harness's. Importing this imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from benchmark.specs import Network, Preset, Recipe

# The name of the author's module inside the recognizer, with which all its tensors begin.
INSIDE = "network."
_FORMATS: dict[str, Literal["NCHW", "NCTHW"]] = {"TCHW": "NCHW", "CTHW": "NCTHW"}


def module_recipe(
    module: str,
    preset: Preset,
    num_classes: int,
    clip: Literal["TCHW", "CTHW"] = "TCHW",
    lr: float = 1e-3,
    weight_decay: float = 0.01,
) -> Recipe:
    """AdamW and a cosine for cross-entropy, on crops of a clip and their mirror images.

    module: import path of the `nn.Module`'s class, which gets the preset's `model` as options. clip: in which order it
    wants a clip's dimensions. lr: for the preset's `reference_batch`. What should be otherwise can be replaced in what
    is returned (`dataclasses.replace`).
    """
    square = dict(type="Resize", scale=(preset.size, preset.size), keep_ratio=False)
    return Recipe(
        model=dict(type="ModuleRecognizer", module=module, num_classes=num_classes, options=dict(preset.model)),
        format_shape=_FORMATS[clip],
        train_transforms=[
            dict(type="RandomResizedCrop", area_range=(0.8, 1.0)),
            square,
            dict(type="Flip", flip_ratio=0.5),
        ],
        test_transforms=[square],
        optim_wrapper=dict(optimizer=dict(type="AdamW", lr=lr, weight_decay=weight_decay)),
        param_scheduler=[dict(type="CosineAnnealingLR", T_max=max(preset.epochs, 1))],
        imports=[module.partition(":")[0]],
    )


def module_network(classifier: str) -> Network:
    """What `--init` has to know of such a model: files have the module's own names, and which layer depends on classes.

    classifier: the name of that layer, as in `module.state_dict()` without its `.weight`.
    """
    return Network("the whole model", keys=f"{__name__}:inside", signature=(), head=f"{classifier}.weight")


def inside(state: Mapping[str, Any]) -> dict[str, Any]:
    """A module's own tensor names as the recognizer's."""
    return {f"{INSIDE}{name}": tensor for name, tensor in state.items()}
