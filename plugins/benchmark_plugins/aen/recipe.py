"""AEN's training as its paper and official code describe it, and the pre-training of its guide."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from benchmark.specs import Preset, Recipe
from benchmark_plugins.recipes import crop_and_flip, square, step_schedule

# The group of each emotion (0 positive, 1 neutral, 2 negative), by number of classes: DFEW and its like; Aff-Wild2,
# whose `other` is neither positive nor negative; MAFW.
GROUPINGS: dict[int, dict[str, int]] = {
    7: {"happy": 0, "sad": 2, "neutral": 1, "angry": 2, "surprise": 0, "disgust": 2, "fear": 2},
    8: {"neutral": 1, "angry": 2, "disgust": 2, "fear": 2, "happy": 0, "sad": 2, "surprise": 0, "other": 1},
    11: {
        "angry": 2,
        "disgust": 2,
        "fear": 2,
        "happy": 0,
        "neutral": 1,
        "sad": 2,
        "surprise": 0,
        "contempt": 2,
        "anxiety": 2,
        "helplessness": 2,
        "disappointment": 2,
    },
}
_LOSSES = {"paper": "AENLoss", "official": "OfficialAENLoss"}


def recipe(preset: Preset, num_classes: int) -> Recipe:
    """Former-DFER's: SGD 0.01, a tenth of it after every `step` (40 %) of the epochs, random resized crop and flip.

    The preset's `model` may name `losses` (paper, official), `fusion`, `softmax`, `alpha` and `grouping` besides sizes.
    """
    size, options = preset.size, preset.model
    width, dim = options.get("width", 64), _dim(preset)
    groups = GROUPINGS.get(num_classes, {})
    return Recipe(
        model=dict(
            type="AEN",
            backbone=dict(
                type="AENBackbone",
                size=size,
                frames=preset.sampling.frames,
                width=width,
                depth=options.get("depth", 3),
                heads=options.get("heads", 8),
                head_dim=options.get("head_dim", 64),
                hidden=options.get("hidden", 1024),
                softmax=options.get("softmax", "queries"),
            ),
            cls_head=dict(
                type="AENHead",
                num_classes=num_classes,
                in_channels=dim,
                global_channels=8 * width,
                grouping=list(options.get("grouping", groups.values())),
                alpha=options.get("alpha", 0.7),
                fusion=options.get("fusion", "probabilities"),
                loss_cls=dict(
                    type=_LOSSES[options.get("losses", "paper")],
                    ta_weight=options.get("ta_weight", 0.4),
                    ga_weight=options.get("ga_weight", 0.5),
                    ta_norm=options.get("ta_norm", "mean"),
                ),
                average_clips="prob",
            ),
            guide=dict(type="AENGuide", size=size, width=width, num_classes=num_classes, in_channels=dim),
        ),
        format_shape="NCHW",
        train_transforms=[
            *crop_and_flip(preset),
            dict(type="ClipRotate", degrees=5.0, prob=0.5),
            dict(type="ClipColorJitter", brightness=0.1, contrast=0.1, saturation=0.1, prob=0.5),
        ],
        test_transforms=[square(preset)],
        optim_wrapper=dict(
            optimizer=dict(type="SGD", lr=options.get("lr", 0.01), momentum=0.9, weight_decay=1e-4),
        ),
        param_scheduler=step_schedule(preset),
        by_class={"model.cls_head.grouping": tuple(groups)},
        imports=["benchmark_plugins.aen.network", "benchmark_plugins.aen.losses", "benchmark_plugins.aen.model"],
    )


def guide_recipe(preset: Preset, num_classes: int) -> Recipe:
    """Single labelled images: cross-entropy, SGD, a tenth of the rate after every fifth of the epochs."""
    size, options = preset.size, preset.model
    return Recipe(
        model=dict(
            type="Recognizer2D",
            backbone=dict(type="AENFrames", size=size, width=options.get("width", 64)),
            cls_head=dict(
                type="FormerDFERHead", num_classes=num_classes, in_channels=_dim(preset), average_clips="prob"
            ),
        ),
        format_shape="NCHW",
        train_transforms=crop_and_flip(preset),
        test_transforms=[square(preset)],
        optim_wrapper=dict(
            optimizer=dict(type="SGD", lr=options.get("lr", 0.01), momentum=0.9, weight_decay=1e-4),
        ),
        param_scheduler=step_schedule(preset, share=0.2),
        imports=["benchmark_plugins.aen.network", "benchmark_plugins.former_dfer.model"],
    )


def _dim(preset: Preset) -> int:
    """Length of a squeezed feature map: the first stage's has a quarter of the frame's edge and one channel."""
    return (preset.size // 4) ** 2


# The official module paths, and ours.
_BLOCK = {
    "0.fn.norm": "norm1",
    "0.fn.fn.to_qkv": "qkv",
    "0.fn.fn.to_out.0": "proj",
    "1.fn.norm": "norm2",
    "1.fn.fn.net.0": "fc1",
    "1.fn.fn.net.3": "fc2",
}
_TOP_DOWN = {
    "fc0_0": "lift",
    "fc0_1": "to_groups.query",
    "fc0_1_o": "to_groups.proj",
    "fc2_3": "to_emotions.query",
    "fc2_3_o": "to_emotions.proj",
    "fc1_1": "unused.fc1_1",
    "fc1_2": "unused.fc1_2",
    "fc1_2_o": "unused.fc1_2_o",
}
_IN_BLOCK = re.compile(r"^([st]_former)\.spatial_transformer(\d?)\.layers\.(\d+)\.(.+)\.(weight|bias)$")
_T_FORMER = re.compile(r"^t_former\.(cls_token|pos_embedding)(\d?)$")
_SQUEEZE = re.compile(r"^s_former\.conv_sp(\d)_(\d)\.(weight|bias)$")


def official_keys(state: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the tensors of an official checkpoint, without its `module.` prefix, to this plugin's names."""
    return {_our_key(key): tensor for key, tensor in state.items()}


def official_guide_keys(state: Mapping[str, Any]) -> dict[str, Any]:
    """The guide in an official checkpoint, of which it is a part: the frame-level network and its classifier."""
    return {
        f"guide.{_our_key(key).removeprefix('backbone.').removeprefix('cls_head.')}": tensor
        for key, tensor in state.items()
        if key.startswith(("s_former.", "fc2D."))
    }


def export_guide(state: Mapping[str, Any]) -> dict[str, Any]:
    """From the names of the network that `guide_recipe` trains to the recognizer's, where it stands twice.

    It becomes the guide, and it is what the video network begins with (section 3.3).
    """
    exported = {}
    for key, tensor in state.items():
        name = key.removeprefix("backbone.").replace("cls_head.fc_cls.", "fc2D.")
        exported[f"guide.{name}"] = tensor
        exported[f"{'cls_head' if name.startswith('fc2D.') else 'backbone'}.{name}"] = tensor.clone()
    return exported


def _our_key(key: str) -> str:
    module, _, last = key.rpartition(".")
    if key.startswith(("fc0.", "fc1.", "fc3.", "fc2D.")):
        return f"cls_head.{key}"
    if module in _TOP_DOWN:
        return f"backbone.{_TOP_DOWN[module]}.{last}"
    if (match := _IN_BLOCK.match(key)) and match[4] in _BLOCK:
        return f"backbone.{_former(match[1], match[2])}.blocks.{match[3]}.{_BLOCK[match[4]]}.{match[5]}"
    if match := _T_FORMER.match(key):
        return f"backbone.{_former('t_former', match[2])}.{match[1]}"
    if match := _SQUEEZE.match(key):
        return f"backbone.s_former.squeeze{match[1]}.{int(match[2]) - 1}.{match[3]}"
    return f"backbone.{key}"


def _former(name: str, level: str) -> str:
    return f"t_former.{level or 0}" if name == "t_former" else name
