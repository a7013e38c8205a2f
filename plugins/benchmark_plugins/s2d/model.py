"""S2D (Chen et al., TAFFC 2024): the image model of `static.py` with temporal adapters, and its classifier.

Only what was added to the vision transformer is trained. B is the batch, T the frames, N = B * T, P the patches of a
frame, D the width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmaction.models import BaseHead
from mmaction.registry import MODELS
from torch import Tensor, nn

from benchmark_plugins.s2d.losses import EmotionAnchors
from benchmark_plugins.s2d.static import Attention, Prompter, S2DImage

# What is trained while the transformer is frozen, by the beginnings of the names.
TRAINED = ("temporal_embedding", "patch_embed_prompt", "prompt_blocks", "prompt_norms", "ln_post")


class Adapter(nn.Module):
    """Narrow, GELU, widen; with `heads`, attention over time at the low width: (B, T, P, D) to the same."""

    def __init__(self, dim: int, ratio: float, heads: int = 0) -> None:
        super().__init__()
        narrow = int(dim * ratio)
        self.D_fc1 = nn.Linear(dim, narrow)
        if heads:
            self.attn = Attention(narrow, heads, qkv_bias=False)
        self.D_fc2 = nn.Linear(narrow, dim)

    def forward(self, x: Tensor) -> Tensor:
        """No residual connection."""
        x = F.gelu(self.D_fc1(x))
        if hasattr(self, "attn"):
            x = self.attn(x.transpose(1, 2)).transpose(1, 2)
        return self.D_fc2(x)


class TemporalAdapter(nn.Module):
    """TMA: each place attends to itself over time, then every token passes a bottleneck; (N, P, D) to the same."""

    def __init__(self, frames: int, dim: int, ratio: float, heads: int) -> None:
        super().__init__()
        self.frames = frames
        self.T_Adapter = Adapter(dim, ratio, heads)
        self.norm = nn.LayerNorm(dim)
        self.S_Adapter = Adapter(dim, ratio)

    def forward(self, x: Tensor) -> Tensor:
        """There is no residual connection in it."""
        clips = x.unflatten(0, (-1, self.frames))
        return self.S_Adapter(self.norm(self.T_Adapter(clips))).flatten(0, 1)


class TemporalPrompter(Prompter):
    """A prompter with a temporal adapter beside it."""

    def __init__(self, dim: int, hidden: int, adapter: TemporalAdapter) -> None:
        super().__init__(dim, hidden)
        self.TMA = adapter

    def forward(self, patches: Tensor, landmarks: Tensor) -> tuple[Tensor, Tensor]:
        """The prompt, and the prompt plus what the adapter finds in the patches."""
        prompt, _ = super().forward(patches, landmarks)
        return prompt, prompt + self.TMA(patches)


@MODELS.register_module()
class S2D(S2DImage):
    """Frames (B * T, 3, size, size) to clip features (B, dim), the mean of the frames' features.

    freeze: whether the vision transformer keeps its weights, as in the paper. adapter_ratio, adapter_heads: relative
    width and attention heads of a temporal adapter. Other options are those of `S2DImage`.
    """

    def __init__(
        self,
        frames: int = 16,
        dim: int = 768,
        adapter_ratio: float = 0.25,
        adapter_heads: int = 8,
        freeze: bool = True,
        **options: Any,
    ) -> None:
        self.frames, self.adapter_ratio, self.adapter_heads = frames, adapter_ratio, adapter_heads
        super().__init__(dim=dim, **options)
        self.temporal_embedding = nn.Parameter(torch.zeros(1, frames, dim))
        if freeze:
            for name, parameter in self.named_parameters():
                if not name.startswith(TRAINED):
                    parameter.requires_grad_(False)

    def _prompter(self, dim: int, hidden: int) -> Prompter:
        return TemporalPrompter(dim, hidden, TemporalAdapter(self.frames, dim, self.adapter_ratio, self.adapter_heads))

    def _placed(self, x: Tensor) -> Tensor:
        """Add the place in the frame and, to all tokens of a frame, the time."""
        clips = super()._placed(x).unflatten(0, (-1, self.frames))
        return (clips + self.temporal_embedding.unsqueeze(2)).flatten(0, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Frames of all clips, clip by clip, to one feature vector per clip."""
        return super().forward(x).unflatten(0, (-1, self.frames)).mean(dim=1)


@MODELS.register_module()
class S2DHead(BaseHead):
    """Dropout and a linear layer, (B, in_channels) to (B, num_classes); cross-entropy on hard or soft targets.

    sdl: whether the emotion-anchors self-distillation loss is added; `anchors` are the options of `EmotionAnchors`.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        dropout_ratio: float = 0.5,
        sdl: bool = False,
        anchors: Mapping[str, int] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(num_classes, in_channels, **options)
        self.dropout = nn.Dropout(dropout_ratio)
        self.fc_cls = nn.Linear(in_channels, num_classes)
        if sdl:
            self.anchors = EmotionAnchors(num_classes, in_channels, **(anchors or {}))

    def init_weights(self) -> None:
        """Truncated normal of deviation 0.02."""
        nn.init.trunc_normal_(self.fc_cls.weight, std=0.02)
        nn.init.zeros_(self.fc_cls.bias)

    def forward(self, x: Tensor, **_: Any) -> Tensor:
        """Logits."""
        return self.fc_cls(self.dropout(x))

    def loss(self, feats: Tensor, data_samples: Sequence[Any], **_: Any) -> dict[str, Tensor]:
        """Cross-entropy, and self-distillation where it is on, from the same dropped-out features."""
        feature = self.dropout(feats)
        logits = self.fc_cls(feature)
        losses = self.loss_by_feat(logits, data_samples)
        if hasattr(self, "anchors"):
            losses["loss_sdl"] = self.anchors(feature, logits)
            labels = torch.stack([sample.gt_label for sample in data_samples]).argmax(dim=1)
            self.anchors.remember(feature, logits, labels.to(logits.device))
        return losses
