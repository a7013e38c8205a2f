"""MMAction2's VideoMAE (Tong et al., NeurIPS 2022) with fused attention and the official head initialisation."""

from __future__ import annotations

import torch
from mmaction.models import TimeSformerHead, VisionTransformer
from mmaction.registry import MODELS
from torch import Tensor

from benchmark_plugins.layers.attention import FusedAttention
from benchmark_plugins.layers.tokens import Positions


@MODELS.register_module()
class FusedVisionTransformer(VisionTransformer):
    """VideoMAE's encoder: the normalised mean of the tokens. Any input size will do, each with a table of its own.

    The class name has to contain `VisionTransformer`: MMAction2's layer-decay constructor looks for it.
    """

    def __init__(self, embed_dims: int = 768, num_heads: int = 12, **options) -> None:
        super().__init__(embed_dims=embed_dims, num_heads=num_heads, **options)
        for block in self.blocks:
            block.attn = FusedAttention(embed_dims, num_heads)
        self.positions = Positions(self.pos_embed.shape[1], embed_dims)
        del self.pos_embed

    def tokens(self, x: Tensor) -> Tensor:
        """(B, 3, T, H, W) to (B, N, embed_dims)."""
        x = self.patch_embed(x)[0]
        x = self.pos_drop(x + self.positions(x.shape[1]))
        for block in self.blocks:
            x = block(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, T, H, W) to (B, embed_dims)."""
        return self.fc_norm(self.tokens(x).mean(1))


@MODELS.register_module()
class ScaledTimeSformerHead(TimeSformerHead):
    """A linear head whose initial weights are multiplied by `init_scale` (0.001 officially).

    Training then starts from even logits, which suits a pre-trained encoder and slows one that starts from nothing.
    """

    def __init__(self, *args, init_scale: float = 0.001, **options) -> None:
        super().__init__(*args, **options)
        self.init_scale = init_scale

    def init_weights(self) -> None:
        """Truncated normal of standard deviation 0.02, times `init_scale`."""
        super().init_weights()
        with torch.no_grad():
            self.fc_cls.weight.mul_(self.init_scale)
            self.fc_cls.bias.mul_(self.init_scale)
