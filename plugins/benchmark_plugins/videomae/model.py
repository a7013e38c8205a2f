"""MMAction2's VideoMAE (Tong et al., NeurIPS 2022) with fused attention and the official head initialisation."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmaction.models import TimeSformerHead, VisionTransformer
from mmaction.models.backbones.vit_mae import Attention, get_sinusoid_encoding
from mmaction.registry import MODELS
from torch import Tensor, nn


def sinusoid_table(tokens: int, dim: int) -> Tensor:
    """Fixed positions (tokens, dim): the sine and cosine of p / 10000^(2j / dim) for the p-th token of a clip."""
    return get_sinusoid_encoding(tokens, dim)[0]


class Positions(nn.Module):
    """The sinusoid table of the number of tokens that was asked for last.

    Not a weight: the official state has none, and it follows from the input size.
    """

    table: Tensor

    def __init__(self, tokens: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("table", sinusoid_table(tokens, dim), persistent=False)

    def forward(self, tokens: int) -> Tensor:
        """(tokens, dim)."""
        if tokens != len(self.table):
            self.table = sinusoid_table(tokens, self.table.shape[1]).to(self.table)
        return self.table


class FusedAttention(Attention):
    """MMAction2's attention, computed by torch's fused kernel: the same result in less time and memory."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) to (B, N, D). Queries and values have a bias, keys have none."""
        bias = torch.cat([self.q_bias, torch.zeros_like(self.v_bias), self.v_bias])
        qkv = F.linear(x, self.qkv.weight, bias).unflatten(-1, (3, self.num_heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        dropout = self.attn_drop.p if self.training else 0.0
        x = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, scale=self.scale)
        return self.proj_drop(self.proj(x.transpose(1, 2).flatten(2)))


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
