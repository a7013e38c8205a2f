"""MAE-DFER's network, the LGI-Former (Sun et al., ACM MM 2023), readable from top to bottom.

The clip is cut into cubes of pixels, one token each, and the grid of tokens into regions. Each region has a messenger,
a learned token that stands for it: attention over a whole clip is then attention inside regions, among messengers, and
from every token to the messengers. B is the batch, D the width, R the number of regions, n the tokens of one region.
"""

from __future__ import annotations

from math import prod

import torch
import torch.nn.functional as F
from mmaction.engine.optimizers import LearningRateDecayOptimizerConstructor
from mmaction.registry import MODELS, OPTIM_WRAPPER_CONSTRUCTORS
from mmcv.cnn.bricks import DropPath
from mmengine.model import BaseModule
from torch import Tensor, nn

from benchmark_plugins.layers.tokens import embed_cubes, sinusoid_table

Grid = tuple[int, int, int]


class Attention(nn.Module):
    """Attention of tokens (B, N, D) to a context (B, M, D). Queries and values have a bias, keys have none."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(dim, dim, bias=False)
        self.kv = nn.Linear(dim, 2 * dim, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(dim))
        self.v_bias = nn.Parameter(torch.zeros(dim))
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """What each token gathers from the context, (B, N, D)."""
        q = F.linear(x, self.q.weight, self.q_bias).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        bias = torch.cat([torch.zeros_like(self.v_bias), self.v_bias])
        k, v = F.linear(context, self.kv.weight, bias).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Local-global interaction: every region, its messenger first, (B * R, 1 + n, D) to the same shape.

    Dropped paths drop a step for single regions; those among messengers, and from tokens to them, for whole clips.
    """

    def __init__(self, dim: int, heads: int, regions: int, drop_path: float) -> None:
        super().__init__()
        self.regions = regions
        self.first_attn_norm0 = nn.LayerNorm(dim, eps=1e-6)
        self.first_attn = Attention(dim, heads)
        self.second_attn_norm0 = nn.LayerNorm(dim, eps=1e-6)
        self.second_attn = Attention(dim, heads)
        self.third_attn_norm0 = nn.LayerNorm(dim, eps=1e-6)
        self.third_attn_norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.third_attn = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.fc1 = nn.Linear(dim, 4 * dim)
        self.fc2 = nn.Linear(4 * dim, dim)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """Attend inside regions, among messengers, from tokens to messengers; then transform each token."""
        normed = self.first_attn_norm0(x)
        x = x + self.drop_path(self.first_attn(normed, normed))

        # Views: no copy is made until an addition has a result.
        messengers, tokens = x.unflatten(0, (-1, self.regions)).split([1, x.shape[1] - 1], dim=2)
        messengers = messengers.squeeze(2)
        normed = self.second_attn_norm0(messengers)
        messengers = messengers + self.drop_path(self.second_attn(normed, normed))

        normed = self.third_attn_norm0(tokens).flatten(1, 2)
        received = self.drop_path(self.third_attn(normed, self.third_attn_norm1(messengers)))
        tokens = tokens + received.unflatten(1, (self.regions, -1))

        x = torch.cat([messengers.unsqueeze(2), tokens], dim=2).flatten(0, 1)
        return x + self.drop_path(self.fc2(F.gelu(self.fc1(self.norm2(x)))))


class LGIEncoder(BaseModule):
    """From clips to regions of tokens. Tokens are numbered in the order (time, row, column), and so are regions.

    grid: tokens of a clip along time, height and width. region: tokens of a region, likewise; has to divide `grid`.
    cube: pixels of a token, likewise. The official values are (8, 10, 10), (2, 5, 10), (2, 16, 16), 512, 16 and 8.
    """

    def __init__(
        self,
        grid: Grid,
        region: Grid,
        cube: Grid,
        embed_dims: int,
        depth: int,
        num_heads: int,
        drop_path_rate: float,
        init_cfg: list[dict] | None,
    ) -> None:
        super().__init__(init_cfg)
        if any(whole % part for whole, part in zip(grid, region, strict=True)):
            raise ValueError(f"regions of {region} tokens do not divide a grid of {grid}")
        self.grid, self.region = grid, region
        # Fixed by the sizes, so no part of the state.
        self.register_buffer("numbers", by_region(grid, region), persistent=False)
        self.register_buffer("positions", sinusoid_table(prod(grid), embed_dims), persistent=False)
        regions = len(self.numbers)
        self.lg_region_tokens = nn.Parameter(nn.init.trunc_normal_(torch.empty(regions, embed_dims), std=0.02))
        self.patch_embed = nn.Conv3d(3, embed_dims, cube, cube)
        rates = torch.linspace(0, drop_path_rate, depth).tolist()
        self.blocks = nn.Sequential(*(Block(embed_dims, num_heads, regions, rate) for rate in rates))

    def encode(self, frames: Tensor, numbers: Tensor) -> Tensor:
        """Some tokens after all blocks, (B, R, 1 + v, D), behind each region's messenger.

        frames: (B, 3, T, H, W). numbers: of each region's tokens, (B, R, v).
        """
        tokens = embed_cubes(self.patch_embed, frames, numbers.flatten(1)).view(*numbers.shape, -1)
        messengers = self.lg_region_tokens[:, None].expand(len(tokens), -1, -1, -1)
        x = torch.cat([messengers, tokens + self.positions[numbers]], dim=2)
        return self.blocks(x.flatten(0, 1)).view_as(x)


def by_region(grid: Grid, region: Grid) -> Tensor:
    """The numbers of each region's tokens, (R, n)."""
    (t, h, w), numbers = region, torch.arange(prod(grid)).view(grid)
    numbers = numbers.unflatten(2, (-1, w)).unflatten(1, (-1, h)).unflatten(0, (-1, t))
    return numbers.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(0, 2)


@MODELS.register_module()
class LGIVisionTransformer(LGIEncoder):
    """The backbone: clips (B, 3, T, H, W) to (B, embed_dims), the normalised mean over what `classify` names.

    classify: `region` (the messengers, as in the paper), `org` (the tokens, the official code's default), or `all`.
    The class name has to contain `VisionTransformer`: MMAction2's layer-decay constructor looks for it.
    """

    def __init__(
        self,
        grid: Grid = (8, 10, 10),
        region: Grid = (2, 5, 10),
        cube: Grid = (2, 16, 16),
        embed_dims: int = 512,
        depth: int = 16,
        num_heads: int = 8,
        drop_path_rate: float = 0.1,
        classify: str = "region",
        init_cfg: list[dict] | None = None,
    ) -> None:
        super().__init__(grid, region, cube, embed_dims, depth, num_heads, drop_path_rate, init_cfg)
        # Messengers come first in each region.
        self.classify = {"region": slice(0, 1), "org": slice(1, None), "all": slice(None)}[classify]
        self.fc_norm = nn.LayerNorm(embed_dims, eps=1e-6)

    def tokens(self, frames: Tensor) -> Tensor:
        """Clips (B, 3, T, H, W) to messengers and tokens, (B, R * (1 + n), embed_dims)."""
        return self.encode(frames, self.numbers.expand(len(frames), -1, -1)).flatten(1, 2)

    def forward(self, frames: Tensor) -> Tensor:
        """Encode every token, average."""
        x = self.tokens(frames).unflatten(1, (len(self.numbers), -1))
        return self.fc_norm(x[:, :, self.classify].mean(dim=(1, 2)))


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MessengerLayerDecay(LearningRateDecayOptimizerConstructor):
    """MMAction2's layer decay, which spares vectors weight decay, sparing the messengers as well."""

    def add_params(self, params: list[dict], module: nn.Module, **options) -> None:
        """Move the messengers, which have the last layer's learning rate already, to its group without decay."""
        super().add_params(params, module, **options)
        groups = {group["group_name"]: group for group in params}
        last = f"layer_{self.paramwise_cfg['num_layers'] + 1}"
        decayed, spared = groups[f"{last}_decay"], groups[f"{last}_no_decay"]
        index = decayed["param_names"].index("backbone.lg_region_tokens")
        for key in ("params", "param_names"):
            spared[key].append(decayed[key].pop(index))
