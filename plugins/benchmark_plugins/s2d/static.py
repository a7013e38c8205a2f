"""S2D's image model (Chen et al., TAFFC 2024): a vision transformer prompted by landmark features.

Before every transformer block a Multi-View Complementary Prompter (MCP) adds to each patch what the landmark detector
sees there. This model is trained on images; `model.py` extends it to clips. N is the number of frames, P of patches per
frame, D the width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from benchmark_plugins.s2d.landmarks import MobileFaceNet


def attend(qkv: Tensor, heads: int) -> Tensor:
    """Multi-head attention over the second last dimension: (..., L, 3 * D) to (..., L, D)."""
    q, k, v = qkv.unflatten(-1, (3, heads, -1)).movedim(-3, 0).transpose(-3, -2)
    return F.scaled_dot_product_attention(q, k, v).transpose(-3, -2).flatten(-2)


class Attention(nn.Module):
    """The weights of an attention layer; `qkv_bias` is whether queries, keys and values have a bias."""

    def __init__(self, dim: int, heads: int, qkv_bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(..., L, D) to the same, mixing along L."""
        return self.proj(attend(self.qkv(x), self.heads))


class MLP(nn.Module):
    """Two layers with a GELU in between, on the last dimension."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, 4 * dim)
        self.fc2 = nn.Linear(4 * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) to the same."""
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    """ViT's pre-norm transformer block: (N, L, D) to the same."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, heads, qkv_bias=True)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = MLP(dim)

    def forward(self, x: Tensor) -> Tensor:
        """Attend, then transform each token."""
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    """Cut a map into patches: (N, channels, H, W) to (N, P, dim), row by row."""

    def __init__(self, channels: int, dim: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, dim, patch, patch)

    def forward(self, x: Tensor) -> Tensor:
        """One token per patch."""
        return self.proj(x).flatten(2).transpose(1, 2)


class PointConv(nn.Conv2d):
    """A 1x1 convolution on tokens instead of a map: (N, P, inputs) to (N, P, outputs)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """A linear layer whose weight has a convolution's shape."""
        return F.linear(x, self.weight.flatten(1), self.bias)


class Fovea(nn.Module):
    """Attention to places: each channel is multiplied by its own softmax over the patches, of learned sharpness."""

    def __init__(self) -> None:
        super().__init__()
        self.smooth = nn.Parameter(torch.full((1,), 10.0))

    def forward(self, x: Tensor) -> Tensor:
        """(N, P, channels) to the same."""
        return x * (x * self.smooth).softmax(dim=1)


class Prompter(nn.Module):
    """MCP: join frame and landmark tokens at a low width into a prompt of the full width."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.conv0_0 = PointConv(dim, hidden)
        self.conv0_1 = PointConv(dim, hidden)
        self.fovea = Fovea()
        self.conv1x1 = PointConv(hidden, dim)

    def forward(self, patches: Tensor, landmarks: Tensor) -> tuple[Tensor, Tensor]:
        """Two (N, P, D) to the prompt, which the next prompter gets as its landmarks, and what the patches gain."""
        prompt = self.conv1x1(self.fovea(self.conv0_0(patches)) + self.conv0_1(landmarks))
        return prompt, prompt


@MODELS.register_module()
class S2DImage(BaseModule):
    """Frames (N, 3, size, size) to features (N, dim), their normalised class tokens.

    The landmark detector is frozen; it sees frames of 8 x 8 pixels per patch, so that its map has a cell per patch. The
    paper's values are the defaults. landmark_width: channels of the detector's first layers. hidden: width inside a
    prompter.
    """

    def __init__(
        self,
        size: int = 224,
        patch: int = 16,
        dim: int = 768,
        depth: int = 12,
        heads: int = 12,
        hidden: int = 8,
        landmark_width: int = 64,
    ) -> None:
        super().__init__()
        grid = size // patch
        self.landmark = MobileFaceNet(8 * grid, landmark_width).requires_grad_(False)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, grid * grid + 1, dim))
        self.patch_embed = PatchEmbed(3, dim, patch)
        self.patch_embed_prompt = PatchEmbed(2 * landmark_width, dim, 1)
        self.prompt_blocks = nn.ModuleList(self._prompter(dim, hidden) for _ in range(depth))
        self.prompt_norms = nn.ModuleList(nn.LayerNorm(dim, eps=1e-6) for _ in range(depth))
        self.blocks = nn.ModuleList(Block(dim, heads) for _ in range(depth))
        self.ln_post = nn.LayerNorm(dim, eps=1e-6)
        if depth > 1:
            # The official network has this norm and never uses it.
            self.prompt_norms[-1].requires_grad_(False)

    def _prompter(self, dim: int, hidden: int) -> Prompter:
        return Prompter(dim, hidden)

    def init_weights(self) -> None:
        """Truncated normal of deviation 0.02, scaled up where the network is narrower than 768."""
        std = 0.02 * (768 / self.pos_embed.shape[-1]) ** 0.5
        for parameter in (self.cls_token, self.pos_embed):
            nn.init.trunc_normal_(parameter, std=std)
        for module in (*self.blocks.modules(), *self.prompt_blocks.modules()):
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=std)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def train(self, mode: bool = True) -> S2DImage:
        """Training never reaches the landmark detector, nor its batch statistics."""
        super().train(mode)
        self.landmark.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Prompt, attend, repeat; the class token is left out of the prompting."""
        with torch.no_grad():
            landmarks = self.landmark.features(x)
        prompt = self.patch_embed_prompt(landmarks)
        patches = self.patch_embed(x)
        prompt, gain = self.prompt_blocks[0](self.prompt_norms[0](patches), self.prompt_norms[0](prompt))
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), patches + gain], dim=1)
        x = self.blocks[0](self._placed(x))
        for depth in range(1, len(self.blocks)):
            patches = x[:, 1:]
            # The official code normalises every prompt with the first norm, and patches with the preceding block's.
            prompt, gain = self.prompt_blocks[depth](
                self.prompt_norms[depth - 1](patches), self.prompt_norms[0](prompt)
            )
            x = self.blocks[depth](torch.cat([x[:, :1], patches + gain], dim=1))
        return self.ln_post(x[:, 0])

    def _placed(self, x: Tensor) -> Tensor:
        """Tokens (N, 1 + P, D) with what says where they are."""
        return x + self.pos_embed
