"""SVFAP's encoder, the TPSBT (Sun et al., TAFFC 2024), readable from top to bottom.

A clip becomes a grid of tokens, T slots of time by P places. Three stages of transformer blocks follow. Before the
second and the third the temporal pyramid halves T, and the spatial bottleneck sums up each slot in a few tokens, on
which most of the stage's blocks work; its last block writes back to all places. B is the batch, D the width, K the
number of bottleneck tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmcv.cnn.bricks import DropPath
from mmengine.model import BaseModule
from torch import Tensor, nn

from benchmark_plugins.videomae.model import FusedAttention, Positions


class CrossAttention(nn.Module):
    """Attention of tokens (B, N, D) to a context (B, M, D). Queries and values have a bias, keys have none."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_bias = nn.Parameter(torch.zeros(dim))
        self.v_bias = nn.Parameter(torch.zeros(dim))
        self.q = nn.Linear(dim, dim, bias=False)
        self.kv = nn.Linear(dim, 2 * dim, bias=False)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """What each token gathers from the context, (B, N, D)."""
        q = F.linear(x, self.q.weight, self.q_bias).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        bias = torch.cat([torch.zeros_like(self.v_bias), self.v_bias])
        k, v = F.linear(context, self.kv.weight, bias).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class MLP(nn.Module):
    """Two layers with a GELU in between, on the last dimension."""

    def __init__(self, dim: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(..., dim) to (..., outputs)."""
        return self.fc2(F.gelu(self.fc1(x)))


class Transformer(nn.Module):
    """The two steps that all blocks share."""

    def __init__(self, dim: int, heads: int, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = FusedAttention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = MLP(dim, 4 * dim, dim)
        self.drop_path = DropPath(drop_path)

    def transform(self, x: Tensor) -> Tensor:
        """Attend, then transform each token."""
        x = x + self.drop_path(self.attn(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class Block(Transformer):
    """A pre-norm transformer block of the first stage: tokens (B, N, D) to the same."""

    def forward(self, x: Tensor) -> Tensor:
        """Attend, then transform each token."""
        return self.transform(x)


class CrossSelfBlock(Transformer):
    """A block of the later stages: tokens (B, N, D) first attend to a context (B, M, D)."""

    def __init__(self, dim: int, heads: int, drop_path: float) -> None:
        super().__init__(dim, heads, drop_path)
        self.cross_norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.cross_norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.cross_attn = CrossAttention(dim, heads)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Gather from the context, attend, transform each token."""
        gathered = self.cross_attn(self.cross_norm1(x), self.cross_norm2(context))
        return self.transform(x + self.drop_path(gathered))


class SpatialBottleneck(nn.Module):
    """Sum up the places of every time slot in a few tokens, each a learned weighting of all of them."""

    def __init__(self, dim: int, tokens: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = MLP(dim, dim // 4, tokens)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, P, D) to (B, T, K, D). The weights come from normalised tokens; the tokens summed up are not."""
        weights = self.mlp(self.norm(x)).softmax(dim=2)
        return weights.transpose(2, 3) @ x


class PyramidEncoder(BaseModule):
    """Patch embedding and the three stages.

    tokens: of a clip; another number gets a table of positions of its own. cube: pixels of a token along time, height
    and width. depths: blocks of each stage. bottleneck: tokens that sum up a time slot.
    """

    def __init__(
        self,
        tokens: int = 800,
        cube: tuple[int, int, int] = (2, 16, 16),
        embed_dims: int = 512,
        depths: Sequence[int] = (12, 6, 3),
        num_heads: int = 8,
        bottleneck: int = 8,
        drop_path_rate: float = 0.0,
        init_cfg: list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.depths = tuple(depths)
        rates = torch.linspace(0, drop_path_rate, sum(depths)).tolist()
        kinds: list[type[Transformer]] = [Block] * depths[0] + [CrossSelfBlock] * sum(depths[1:])
        self.patch_embed = nn.Conv3d(3, embed_dims, cube, cube)
        self.positions = Positions(tokens, embed_dims)
        self.blocks = nn.ModuleList(kind(embed_dims, num_heads, rate) for kind, rate in zip(kinds, rates, strict=True))
        self.temporal_downsamples = nn.ModuleList(nn.Conv1d(embed_dims, embed_dims, 2, 2) for _ in depths[1:])
        self.spatial_downsamples = nn.ModuleList(SpatialBottleneck(embed_dims, bottleneck) for _ in depths[1:])

    def embed(self, frames: Tensor) -> Tensor:
        """Clips (B, 3, frames, height, width) to placed tokens (B, T, P, D), places row by row."""
        x = self.patch_embed(frames).flatten(3).permute(0, 2, 3, 1)
        return x + self.positions(x.shape[1] * x.shape[2]).view(x.shape[1:])

    def stages(self, x: Tensor, context: Tensor | None = None) -> list[Tensor]:
        """Tokens (B, T, P, D) to what each stage gives: (B, T, P, D), (B, T / 2, P, D) and (B, T / 4, P, D).

        context: tokens (B, M, D) to which the last block of the later stages attends in place of the bottleneck's.
        """
        blocks = iter(self.blocks)
        first, *later = (list(islice(blocks, depth)) for depth in self.depths)
        tokens = x.flatten(1, 2)
        for block in first:
            tokens = block(tokens)
        outputs = [tokens.view_as(x)]
        for (*working, last), halve, sum_up in zip(
            later, self.temporal_downsamples, self.spatial_downsamples, strict=True
        ):
            x = over_time(halve, outputs[-1])
            full, summary = x.flatten(1, 2), sum_up(x).flatten(1, 2)
            for block in working:
                summary = block(summary, full)
            outputs.append(last(full, summary if context is None else context).view_as(x))
        return outputs


def over_time(convolution: nn.Module, x: Tensor) -> Tensor:
    """Convolve each place of (B, T, P, D) along its time."""
    places = x.permute(0, 2, 3, 1)
    return convolution(places.flatten(0, 1)).unflatten(0, places.shape[:2]).permute(0, 3, 1, 2)


@MODELS.register_module()
class PyramidVisionTransformer(PyramidEncoder):
    """The backbone: clips (B, 3, frames, height, width) to (B, D), the normalised mean of the last stage's tokens.

    The class name has to contain `VisionTransformer`: MMAction2's layer-decay constructor looks for it.
    """

    def __init__(self, embed_dims: int = 512, drop_path_rate: float = 0.1, **options) -> None:
        super().__init__(embed_dims=embed_dims, drop_path_rate=drop_path_rate, **options)
        self.fc_norm = nn.LayerNorm(embed_dims, eps=1e-6)

    def tokens(self, frames: Tensor) -> Tensor:
        """Clips (B, 3, frames, height, width) to the last stage's tokens, (B, T / 4 * P, D)."""
        return self.stages(self.embed(frames))[-1].flatten(1, 2)

    def forward(self, frames: Tensor) -> Tensor:
        """Encode every token, average."""
        return self.fc_norm(self.tokens(frames).mean(dim=1))
