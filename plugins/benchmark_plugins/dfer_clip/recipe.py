"""DFER-CLIP's training on DFEW as its paper and official script describe it, and the descriptions of the classes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from benchmark.specs import Preset, Recipe
from benchmark_plugins.recipes import crop_and_flip, square

# The paper's descriptions, word for word: the official code is MIT-licensed, Copyright (c) 2023 Zengqun Zhao.
DESCRIPTIONS = {
    "happy": "a smiling mouth, raised cheeks, wrinkled eyes, and arched eyebrows.",
    "sad": "tears, a downward turned mouth, drooping upper eyelids, and a wrinkled forehead.",
    "neutral": "relaxed facial muscles, a straight mouth, a smooth forehead, and unremarkable eyebrows.",
    "angry": "furrowed eyebrows, narrow eyes, tightened lips, and flared nostrils.",
    "surprise": "widened eyes, an open mouth, raised eyebrows, and a frozen expression.",
    "disgust": "a wrinkled nose, lowered eyebrows, a tightened mouth, and narrow eyes.",
    "fear": "raised eyebrows, parted lips, a furrowed brow, and a retracted chin.",
    "contempt": "one side of its mouth raised, one eyebrow lower and one raised, narrowed eyes, and a raised chin.",
    "anxiety": "a tensed forehead, tightly pressed lips, pupil dilation, and tensed facial muscles.",
    "helplessness": "drooping eyebrows, a downward gaze, a downturned mouth, and lacking expression.",
    "disappointment": "a downturned mouth, lowered eyebrows, narrowed eyes, and a sighing face.",
}


def recipe(preset: Preset, num_classes: int) -> Recipe:
    """SGD with a rate for each part, a tenth of it after 60 % and 80 % of the epochs, one crop and flip per clip."""
    options = preset.model
    outputs, depth = options.get("outputs", 512), options.get("depth", 12)
    # The descriptions are of the first seven emotions, or of all eleven.
    classes = tuple(DESCRIPTIONS)[:num_classes] if num_classes in (7, len(DESCRIPTIONS)) else ()
    return Recipe(
        model=dict(
            type="Recognizer2D",
            backbone=dict(
                type="DFERCLIP",
                image=dict(
                    size=preset.size,
                    patch=options.get("patch", 32),
                    dim=options.get("dim", 768),
                    depth=depth,
                    heads=options.get("heads", 12),
                    outputs=outputs,
                ),
                frames=preset.sampling.frames,
                depth=options.get("temporal_depth", 1),
                heads=options.get("temporal_heads", 8),
            ),
            cls_head=dict(
                type="DFERCLIPHead",
                num_classes=num_classes,
                in_channels=outputs,
                texts=[DESCRIPTIONS[name] for name in classes] or [""] * num_classes,
                text=dict(dim=options.get("text_dim", 512), depth=depth, heads=options.get("text_heads", 8)),
                average_clips="prob",
            ),
        ),
        format_shape="NCHW",
        train_transforms=[
            dict(type="ClipColorJitter", brightness=options.get("brightness", 0.5)),
            *crop_and_flip(preset),
        ],
        test_transforms=[square(preset)],
        optim_wrapper=dict(
            optimizer=options.get("optimizer", dict(type="SGD", lr=0.01, momentum=0.9, weight_decay=1e-4)),
            paramwise_cfg=dict(
                custom_keys={
                    "backbone.image_encoder": dict(lr_mult=options.get("image_rate", 1e-3)),
                    "cls_head": dict(lr_mult=options.get("context_rate", 0.1)),
                }
            ),
        ),
        param_scheduler=[
            dict(
                type="MultiStepLR",
                milestones=[max(1, round(share * preset.epochs)) for share in (0.6, 0.8)],
                gamma=0.1,
            )
        ],
        by_class={"model.cls_head.texts": classes},
        imports=["benchmark_plugins.dfer_clip.model"],
    )


# The official module paths inside a block of the temporal transformer, and ours.
_TEMPORAL = {
    "0.fn.norm": "norm1",
    "0.fn.fn.to_qkv": "qkv",
    "0.fn.fn.to_out.0": "proj",
    "1.fn.norm": "norm2",
    "1.fn.fn.net.0": "fc1",
    "1.fn.fn.net.3": "fc2",
}
_IN_TEMPORAL = re.compile(r"^temporal_net\.temporal_transformer\.layers\.(\d+)\.(.+)\.(weight|bias)$")
_CLIP_TEXT = ("transformer.", "positional_embedding", "text_projection", "ln_final.")


def official_keys(state: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the tensors of an official checkpoint, or of CLIP's own, to this plugin's names.

    DFER-CLIP's checkpoints hold CLIP twice, under two names each. Dropped are the embedded texts, which follow from the
    tokens, and CLIP's own temperature, which is not used.
    """
    return {ours: tensor for key, tensor in state.items() if (ours := _our_key(key))}


def _our_key(key: str) -> str | None:
    key = key.removeprefix("clip_model_.")
    if key.startswith("visual."):
        key = key.replace("visual.", "image_encoder.", 1)
    elif key.startswith(_CLIP_TEXT):
        key = f"text_encoder.{key}"
    key = key.replace(".transformer.resblocks.", ".blocks.")
    if match := _IN_TEMPORAL.match(key):
        return f"backbone.temporal_net.blocks.{match[1]}.{_TEMPORAL[match[2]]}.{match[3]}"
    if key.startswith(("image_encoder.", "temporal_net.")):
        return f"backbone.{key}"
    if key.startswith(("text_encoder.", "token_embedding.")):
        return f"cls_head.{key}"
    return "cls_head.ctx" if key == "prompt_learner.ctx" else None
