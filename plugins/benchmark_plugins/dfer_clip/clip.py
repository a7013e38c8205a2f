"""The two towers of CLIP ViT-B/32 (Radford et al., ICML 2021): images and texts to vectors of one space."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head self-attention, (B, N, D) to the same; `causal` lets a token see only itself and earlier ones."""

    def __init__(self, dim: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.in_proj_weight = nn.Parameter(torch.empty(3 * dim, dim))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * dim))
        self.out_proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Attend along N."""
        qkv = F.linear(x, self.in_proj_weight, self.in_proj_bias).unflatten(-1, (3, self.heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        x = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.out_proj(x.transpose(1, 2).flatten(2))


class MLP(nn.Module):
    """Two layers with CLIP's approximation of GELU in between."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.c_fc = nn.Linear(dim, 4 * dim)
        self.c_proj = nn.Linear(4 * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) to the same."""
        x = self.c_fc(x)
        return self.c_proj(x * torch.sigmoid(1.702 * x))


class Block(nn.Module):
    """A pre-norm transformer block, (B, N, D) to the same."""

    def __init__(self, dim: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(dim)
        self.attn = Attention(dim, heads, causal)
        self.ln_2 = nn.LayerNorm(dim)
        self.mlp = MLP(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Attend, then transform each token."""
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))

    def initialise(self, scale: float) -> None:
        """scale: of what a residual connection adds."""
        dim = self.ln_1.weight.numel()
        for weight, std in (
            (self.attn.in_proj_weight, dim**-0.5),
            (self.attn.out_proj.weight, dim**-0.5 * scale),
            (self.mlp.c_fc.weight, (2 * dim) ** -0.5),
            (self.mlp.c_proj.weight, dim**-0.5 * scale),
        ):
            nn.init.normal_(weight, std=std)
        for bias in (self.attn.out_proj.bias, self.mlp.c_fc.bias, self.mlp.c_proj.bias):
            nn.init.zeros_(bias)


class Tower(BaseModule):
    """The transformer of either tower, initialised as CLIP's authors do."""

    def __init__(self, dim: int, depth: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(Block(dim, heads, causal) for _ in range(depth)))

    def init_weights(self) -> None:
        """Normal, narrower with width, and with depth where a residual connection adds up."""
        for block in self.modules():
            if isinstance(block, Block):
                block.initialise((2 * len(self.blocks)) ** -0.5)


class ImageEncoder(Tower):
    """Frames (N, 3, size, size) to (N, outputs), read off a class token."""

    def __init__(self, size: int, patch: int, dim: int, depth: int, heads: int, outputs: int) -> None:
        super().__init__(dim, depth, heads, causal=False)
        self.conv1 = nn.Conv2d(3, dim, patch, patch, bias=False)
        self.class_embedding = nn.Parameter(dim**-0.5 * torch.randn(dim))
        self.positional_embedding = nn.Parameter(dim**-0.5 * torch.randn((size // patch) ** 2 + 1, dim))
        self.ln_pre = nn.LayerNorm(dim)
        self.ln_post = nn.LayerNorm(dim)
        self.proj = nn.Parameter(dim**-0.5 * torch.randn(dim, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """One token per patch, row by row, behind the class token."""
        patches = self.conv1(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_embedding.expand(len(x), 1, -1), patches], dim=1)
        tokens = self.blocks(self.ln_pre(tokens + self.positional_embedding))
        return self.ln_post(tokens[:, 0]) @ self.proj


class TextEncoder(Tower):
    """Embedded texts (C, L, dim), L up to `length`, to (C, outputs), read off the last token of each text."""

    def __init__(self, length: int, dim: int, depth: int, heads: int, outputs: int) -> None:
        super().__init__(dim, depth, heads, causal=True)
        self.positional_embedding = nn.Parameter(0.01 * torch.randn(length, dim))
        self.ln_final = nn.LayerNorm(dim)
        self.text_projection = nn.Parameter(dim**-0.5 * torch.randn(dim, outputs))

    def forward(self, prompts: Tensor, end: Tensor) -> Tensor:
        """end: (C,), the place of each text's last token. What follows it is never seen, and may be left out."""
        x = self.ln_final(self.blocks(prompts + self.positional_embedding[: prompts.shape[1]]))
        return x[torch.arange(len(x), device=x.device), end] @ self.text_projection
