"""A frozen encoder of any method here, and a probe: one learned query attends to what the encoder gives.

B is the batch, T the frames, N the tokens of a clip, D the encoder's width.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmaction.models import BaseHead, Recognizer3D
from mmaction.registry import MODELS
from torch import Tensor, nn

from benchmark.registry import registry
from benchmark.specs import Sampling, load_object


@MODELS.register_module()
class ProbedRecognizer(Recognizer3D):
    """The backbone of the method called `encoder`, built as its own preset says, frozen, under its own names.

    Weights of that method, converted or trained here, therefore fit. size, frames: of the clips that come in. mean,
    std: what they were normalised with; the encoder gets them normalised as its own preset says.
    """

    def __init__(
        self,
        encoder: str,
        encoder_preset: str,
        size: int,
        frames: int,
        mean: Sequence[float],
        std: Sequence[float],
        cls_head: dict[str, Any],
        **options: Any,
    ) -> None:
        method = registry().find("methods", encoder)
        preset = dataclasses.replace(method.presets[encoder_preset], size=size, sampling=Sampling(clips=frames))
        recipe = load_object(method.recipe)(preset, cls_head["num_classes"])
        for module in recipe.imports:
            importlib.import_module(module)
        if "backbone" not in recipe.model:
            raise ValueError(f"{encoder} has no backbone of its own to probe")
        head = {**cls_head, "in_channels": recipe.model["cls_head"]["in_channels"]}
        super().__init__(backbone=recipe.model["backbone"], cls_head=head, **options)
        self.backbone.requires_grad_(False)
        self.by_frame = recipe.format_shape == "NCHW"
        theirs, ours = (
            torch.tensor([*pair]).view(2, 1, 3, 1, 1, 1) for pair in ((preset.mean, preset.std), (mean, std))
        )
        self.register_buffer("scale", ours[1] / theirs[1], persistent=False)
        self.register_buffer("shift", (ours[0] - theirs[0]) / theirs[1], persistent=False)

    def train(self, mode: bool = True) -> ProbedRecognizer:
        """Training never reaches the encoder: neither its dropout nor its batch statistics."""
        super().train(mode)
        self.backbone.eval()
        return self

    def extract_feat(self, inputs: Tensor, stage: str = "neck", *_: Any, **__: Any) -> tuple[Tensor, dict]:
        """Tokens of clips (B, views, 3, T, H, W), as one row each, or at the stage `head` their logits."""
        tokens = self.probed(inputs.flatten(0, 1))
        return (self.cls_head(tokens) if stage == "head" else tokens), {}

    def probed(self, clips: Tensor) -> Tensor:
        """Clips (B, 3, T, H, W) to tokens (B, N, D): the encoder's, or what it gives in their place."""
        clips = clips * self.scale + self.shift
        count = len(clips)
        if self.by_frame:
            clips = clips.transpose(1, 2).flatten(0, 1)
        with torch.no_grad():
            found = self.backbone.tokens(clips) if hasattr(self.backbone, "tokens") else self.backbone(clips)
        if not isinstance(found, Tensor):
            raise ValueError(f"{type(self.backbone).__name__} gives {type(found).__name__} and not one tensor to probe")
        if not hasattr(self.backbone, "tokens") and found.ndim > 2:
            # A map: its places are the tokens.
            found = found.flatten(2).transpose(1, 2)
        # What is left of each frame, or of the whole clip, becomes one row of tokens.
        return found.reshape(count, -1, found.shape[-1])


@MODELS.register_module()
class AttentiveHead(BaseHead):
    """Tokens (B, N, D) to logits (B, num_classes): a query gathers from them, passes an MLP, and is classified."""

    def __init__(self, num_classes: int, in_channels: int, heads: int = 4, **options: Any) -> None:
        super().__init__(num_classes, in_channels, **options)
        dim = in_channels
        self.heads = heads
        self.query = nn.Parameter(torch.zeros(1, 1, dim))
        self.norm1 = nn.LayerNorm(dim)
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(dim, 2 * dim)
        self.proj = nn.Linear(dim, dim)
        self.norm2 = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(dim, 4 * dim)
        self.fc2 = nn.Linear(4 * dim, dim)
        # Not called as other methods' classifiers are: one of them that comes with an encoder is not for this query.
        self.classifier = nn.Linear(dim, num_classes)

    def init_weights(self) -> None:
        """Truncated normal of deviation 0.02."""
        nn.init.trunc_normal_(self.query, std=0.02)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor, **_: Any) -> Tensor:
        """Logits."""
        query = self.query.repeat(len(x), 1, 1)
        q = self.q(query).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        k, v = self.kv(self.norm1(x)).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query = query + self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        query = query + self.fc2(F.gelu(self.fc1(self.norm2(query))))
        return self.classifier(query.squeeze(1))
