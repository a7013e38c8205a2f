"""S4D, formerly UniLearn (Chen et al., TAFFC 2025): one vision transformer for images and videos, with adapter experts.

The later half of the blocks has a mixture of experts beside each MLP: a router sends every token to two of eight narrow
adapters. B is the batch, N a clip's tokens, D the width, E the number of experts.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from mmaction.models import Recognizer3D
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from benchmark_plugins.layers.precision import at_least_float32, without_autocast
from benchmark_plugins.videomae.model import FusedAttention, Positions

# Tokens per expert in the official code, relative to an even share of all choices in the batch.
CAPACITY = 1.0


class MLP(nn.Module):
    """Two layers with a GELU in between, on the last dimension; as an adapter, without a residual of its own."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) to the same."""
        return self.fc2(F.gelu(self.fc1(x)))


class Router(nn.Module):
    """How well each token suits each expert, with learned noise when asked for."""

    def __init__(self, dim: int, experts: int) -> None:
        super().__init__()
        self.topkroute_linear = nn.Linear(dim, experts)
        self.noise_linear = nn.Linear(dim, experts)

    def forward(self, x: Tensor, noisy: bool) -> Tensor:
        """(B, N, D) to (B, N, E)."""
        logits = self.topkroute_linear(x)
        if not noisy:
            return logits
        spread = F.softplus(self.noise_linear(x))
        return logits + torch.randn_like(spread) * spread


class ExpertMixture(nn.Module):
    """The sum of the `top` best suited experts of each token, weighted by a softmax over these.

    routing: `independent` adds noise in training only, and each token reaches the experts it chose. `official` adds
    noise in evaluation too, and an expert serves no more tokens of the batch than its even share of all choices: those
    that come first, so that what a clip gets depends on the clips before it in the batch.
    """

    def __init__(
        self, dim: int, hidden: int, experts: int, top: int, routing: Literal["independent", "official"]
    ) -> None:
        super().__init__()
        self.router = Router(dim, experts)
        self.experts = nn.ModuleList(MLP(dim, hidden) for _ in range(experts))
        self.top = top
        self.routing = routing
        # Of the last batch that was trained on, for the balance loss.
        self.logits: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) to the same."""
        with without_autocast(x):
            logits = self.router(at_least_float32(x), noisy=self.training or self.routing == "official")
        self.logits = logits if self.training else None
        best, chosen = logits.flatten(0, 1).topk(self.top)
        gates, tokens = best.softmax(dim=1), x.flatten(0, 1)
        capacity = len(tokens)
        if self.routing == "official":
            capacity = int(len(tokens) * self.top / len(self.experts) * CAPACITY)
        output = torch.zeros_like(tokens, dtype=gates.dtype)
        for number, expert in enumerate(self.experts):
            served, place = (chosen == number).nonzero(as_tuple=True)
            served, place = served[:capacity], place[:capacity]
            output = output.index_add(0, served, gates[served, place].unsqueeze(1) * expert(tokens[served]))
        return output.view_as(x)


def balance_loss(logits: Tensor, top: int) -> Tensor:
    """The official load-balancing loss of a router's logits (B, N, E), noise included.

    E^2 times the mean over clips and experts of the share of tokens that chose the expert, which has no gradient, and
    its mean logit. Since that is no probability, the loss has no lower bound.
    """
    experts = logits.shape[2]
    share = F.one_hot(logits.topk(top).indices, experts).sum(dim=2).float().mean(dim=1)
    return (share * logits.mean(dim=1)).mean() * experts**2


class Block(nn.Module):
    """VideoMAE's block, tokens (B, N, D) to the same; with `mixture`, experts work beside its MLP."""

    def __init__(self, dim: int, heads: int, mixture: ExpertMixture | None) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = FusedAttention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = MLP(dim, 4 * dim)
        self.moe_layer = mixture

    def forward(self, x: Tensor) -> Tensor:
        """Attend, then transform each token."""
        x = x + self.attn(self.norm1(x))
        normed = self.norm2(x)
        x = x + self.mlp(normed)
        return x if self.moe_layer is None else x + self.moe_layer(normed)


@MODELS.register_module()
class ExpertVisionTransformer(BaseModule):
    """The backbone: clips (B, 3, T, H, W) to (B, D), the normalised mean of the tokens. An image is a clip with T = 1.

    expert_blocks: how many blocks, the last ones, have experts. expert_dims: an expert's inner width. The official
    values are the defaults; any input size will do. The class name has to contain `VisionTransformer`: MMAction2's
    layer-decay constructor looks for it.
    """

    def __init__(
        self,
        size: int = 160,
        frames: int = 16,
        cube: tuple[int, int, int] = (2, 16, 16),
        embed_dims: int = 768,
        depth: int = 12,
        num_heads: int = 12,
        expert_blocks: int = 6,
        experts: int = 8,
        expert_dims: int = 192,
        top: int = 2,
        routing: Literal["independent", "official"] = "independent",
        init_cfg: list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if routing not in ("independent", "official"):
            raise ValueError(f"no routing is called '{routing}'; there are 'independent' and 'official'")
        tubelet, rows, columns = cube
        self.patch_embed = nn.Conv3d(3, embed_dims, cube, cube)
        self.positions = Positions(frames // tubelet * (size // rows) * (size // columns), embed_dims)
        self.blocks = nn.ModuleList()
        for number in range(depth):
            late = number >= depth - expert_blocks
            mixture = ExpertMixture(embed_dims, expert_dims, experts, top, routing) if late else None
            self.blocks.append(Block(embed_dims, num_heads, mixture))
        self.fc_norm = nn.LayerNorm(embed_dims, eps=1e-6)

    @property
    def mixtures(self) -> list[ExpertMixture]:
        """Those of all blocks that have one."""
        return [module for module in self.modules() if isinstance(module, ExpertMixture)]

    def tokens(self, frames: Tensor) -> Tensor:
        """Clips (B, 3, T, H, W) to (B, N, D); an image is shown for as long as a token lasts."""
        if frames.shape[2] == 1:
            frames = frames.expand(-1, -1, self.patch_embed.kernel_size[0], -1, -1)
        x = self.patch_embed(frames).flatten(2).transpose(1, 2)
        x = x + self.positions(x.shape[1])
        for block in self.blocks:
            x = block(x)
        return x

    def forward(self, frames: Tensor) -> Tensor:
        """Encode every token, average."""
        return self.fc_norm(self.tokens(frames).mean(dim=1))


@MODELS.register_module()
class S4DRecognizer(Recognizer3D):
    """MMAction2's recognizer with `balance` times all routers' balance loss added; 0 leaves it out."""

    def __init__(self, balance: float = 0.0, **options: Any) -> None:
        super().__init__(**options)
        self.balance = balance

    def loss(self, inputs: Tensor, data_samples: Any, **options: Any) -> dict[str, Tensor]:
        """Cross-entropy, and the balance of the routers."""
        losses = super().loss(inputs, data_samples, **options)
        if self.balance:
            each = [balance_loss(mixture.logits, mixture.top) for mixture in self.backbone.mixtures]
            losses["loss_balance"] = self.balance * torch.stack(each).sum()
        return losses
