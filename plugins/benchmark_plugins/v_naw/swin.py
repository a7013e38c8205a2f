"""A Swin transformer for single frames (Liu et al., ICCV 2021), readable from top to bottom.

MMAction2's Swin is the video one: it fits the same tables, but holds its masks in a cache instead of the state dict, a
3-D patch embedding, and no feature head. N is the number of frames, L the tokens of a window, C the channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmcv.cnn.bricks import DropPath
from mmengine.model import BaseModule
from torch import Tensor, nn

CPU_FRAMES = 8


def to_windows(x: Tensor, window: int) -> Tensor:
    """(N, H, W, C) to (N, windows, L, C), windows and the tokens inside them in row-major order."""
    n, height, width, channels = x.shape
    x = x.view(n, height // window, window, width // window, window, channels).transpose(2, 3)
    return x.reshape(n, -1, window * window, channels)


def from_windows(x: Tensor, window: int, size: int) -> Tensor:
    """The inverse of `to_windows` for a square of edge `size`."""
    n, _, _, channels = x.shape
    x = x.view(n, size // window, size // window, window, window, channels).transpose(2, 3)
    return x.reshape(n, size, size, channels)


class PatchEmbed(nn.Module):
    """Cut a frame into patches: (N, 3, H, W) to (N, H / patch, W / patch, dim)."""

    def __init__(self, patch: int, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, patch, stride=patch)
        self.norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        """One normalised vector per patch."""
        return self.norm(self.proj(x).permute(0, 2, 3, 1))


class FixedBuffers(nn.Module):
    """A module whose own buffers follow from its sizes: official files hold them, and no file can change them."""

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        for name, constant in self.named_buffers(recurse=False):
            if prefix + name in state_dict:
                state_dict[prefix + name] = constant
        super()._load_from_state_dict(state_dict, prefix, *rest)


class WindowAttention(FixedBuffers):
    """Attention inside each window, with a learned bias for every relative position."""

    relative_position_index: Tensor

    def __init__(self, dim: int, window: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.relative_position_bias_table = nn.Parameter(torch.empty((2 * window - 1) ** 2, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        rows, columns = torch.arange(window * window) // window, torch.arange(window * window) % window
        down = rows[:, None] - rows[None, :] + window - 1
        right = columns[:, None] - columns[None, :] + window - 1
        self.register_buffer("relative_position_index", down * (2 * window - 1) + right)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """(N, windows, L, C) to the same; `mask` (windows, L, L) is added to the scores."""
        n, windows, length, _ = x.shape
        bias = self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)
        bias = bias.expand(windows, -1, -1, -1) if mask is None else bias + mask.unsqueeze(1)
        # Windows and heads share a dimension, so that the bias is the same for all frames and is never copied.
        q, k, v = (
            self.qkv(x).view(n, windows, length, 3, self.heads, -1).permute(3, 0, 1, 4, 2, 5).flatten(2, 3).unbind()
        )
        dropout = self.dropout if self.training else 0.0
        x = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.flatten(0, 1).unsqueeze(0), dropout_p=dropout)
        return self.proj(x.unflatten(1, (windows, self.heads)).transpose(2, 3).flatten(3))


class FeedForward(nn.Module):
    """Two layers with GELU between them, on each token."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, 4 * dim)
        self.fc2 = nn.Linear(4 * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) to (..., C)."""
        return self.fc2(F.gelu(self.fc1(x)))


class Block(FixedBuffers):
    """Window attention and feed-forward on a square of edge `size`, the windows moved by `shift`."""

    attn_mask: Tensor | None

    def __init__(
        self, dim: int, size: int, window: int, shift: int, heads: int, attention_dropout: float, drop_path: float
    ) -> None:
        super().__init__()
        self.size, self.window, self.shift = size, window, shift
        self.norm1 = nn.LayerNorm(dim)
        self.attn = WindowAttention(dim, window, heads, attention_dropout)
        self.drop_path = DropPath(drop_path)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = FeedForward(dim)
        self.register_buffer("attn_mask", _shift_mask(size, window, shift) if shift else None)

    def forward(self, x: Tensor) -> Tensor:
        """(N, size, size, C) to the same."""
        y = self._rolled(self.norm1(x), -self.shift)
        y = from_windows(self.attn(to_windows(y, self.window), self.attn_mask), self.window, self.size)
        x = x + self.drop_path(self._rolled(y, self.shift))
        return x + self.drop_path(self.mlp(self.norm2(x)))

    def _rolled(self, x: Tensor, by: int) -> Tensor:
        # A roll by nothing copies all the same.
        return torch.roll(x, (by, by), dims=(1, 2)) if by else x


def _shift_mask(size: int, window: int, shift: int) -> Tensor:
    """(windows, L, L): -100 between tokens that are neighbours only because the shift wraps round, else 0."""
    band = torch.zeros(size)
    band[size - window : size - shift] = 1
    band[size - shift :] = 2
    region = to_windows((3 * band[:, None] + band[None, :]).view(1, size, size, 1), window).view(-1, window * window)
    return (region.unsqueeze(1) != region.unsqueeze(2)) * -100.0


class PatchMerging(nn.Module):
    """Four neighbouring tokens become one: (N, H, W, C) to (N, H / 2, W / 2, 2 * C)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * dim)
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Concatenate (upper left, lower left, upper right, lower right), normalise, project."""
        return self.reduction(self.norm(torch.cat([x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)], dim=-1)))


class Stage(nn.Module):
    """Blocks whose windows are shifted in every second one, then a merging of patches (not in the last stage)."""

    def __init__(
        self,
        dim: int,
        size: int,
        window: int,
        heads: int,
        attention_dropout: float,
        drop_paths: Sequence[float],
        last: bool,
    ) -> None:
        super().__init__()
        window = min(window, size)
        # One window that holds everything has nowhere to shift to.
        shift = window // 2 if size > window else 0
        self.blocks = nn.Sequential(
            *(
                Block(dim, size, window, shift * (i % 2), heads, attention_dropout, drop)
                for i, drop in enumerate(drop_paths)
            )
        )
        self.downsample = nn.Identity() if last else PatchMerging(dim)

    def forward(self, x: Tensor) -> Tensor:
        """(N, size, size, C) to (N, size / 2, size / 2, 2 * C), or the same size in the last stage."""
        return self.downsample(self.blocks(x))


@MODELS.register_module()
class SwinFrameEncoder(BaseModule):
    """Frames (N, 3, size, size) to features (N, out_channels): V-NAW's image encoder (eq. 6), the official Swin-T.

    patch: edge of a patch; dim: channels of the first stage, doubled by every further one; depths, heads: blocks and
    attention heads per stage; window: edge of a window in tokens, which must divide every stage that is larger. The
    mean token goes through a head of two layers, each with a batch norm.
    """

    def __init__(
        self,
        size: int = 112,
        patch: int = 2,
        dim: int = 96,
        depths: Sequence[int] = (2, 2, 6, 2),
        heads: Sequence[int] = (3, 6, 12, 24),
        window: int = 7,
        out_channels: int = 512,
        attention_dropout: float = 0.1,
        drop_path: float = 0.1,
        init_cfg: Sequence[dict] = (
            dict(type="TruncNormal", layer="Linear", std=0.02, bias=0.0),
            dict(type="Constant", layer="LayerNorm", val=1.0, bias=0.0),
        ),
    ) -> None:
        super().__init__([dict(config) for config in init_cfg])
        self.patch_embed = PatchEmbed(patch, dim)
        drops = torch.linspace(0, drop_path, sum(depths)).split(list(depths))
        self.layers = nn.Sequential(
            *(
                Stage(
                    dim * 2**i,
                    size // patch // 2**i,
                    window,
                    heads[i],
                    attention_dropout,
                    drops[i].tolist(),
                    last=i == len(depths) - 1,
                )
                for i in range(len(depths))
            )
        )
        width = dim * 2 ** (len(depths) - 1)
        self.norm = nn.LayerNorm(width)
        self.feature = nn.Sequential(
            nn.Linear(width, width, bias=False),
            nn.BatchNorm1d(width, eps=2e-5),
            nn.Linear(width, out_channels, bias=False),
            nn.BatchNorm1d(out_channels, eps=2e-5),
        )

    def tokens(self, x: Tensor) -> Tensor:
        """Frames (N, 3, size, size) to the tokens of the last stage (N, tokens, channels)."""
        # A few frames at a time stay in a CPU's cache and in memory that is already mapped.
        chunks = x.split(CPU_FRAMES) if x.device.type == "cpu" else (x,)
        return torch.cat([self.layers(self.patch_embed(chunk)) for chunk in chunks]).flatten(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        """One feature vector per frame."""
        return self.feature(self.norm(self.tokens(x)).mean(dim=1))
