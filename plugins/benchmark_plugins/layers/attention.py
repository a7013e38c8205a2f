"""MMAction2's attention of video transformers, made fast."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmaction.models.backbones.vit_mae import Attention, Block
from torch import Tensor


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


class FusedBlock(Block):
    """MMAction2's transformer block with fused attention."""

    def __init__(self, embed_dims: int, num_heads: int) -> None:
        super().__init__(embed_dims, num_heads)
        self.attn = FusedAttention(embed_dims, num_heads)
