"""M3DFEL's network (Wang et al., CVPR 2023, section 3), readable from top to bottom.

A clip is a bag of instances, each a few consecutive frames. A 3D ResNet gives one vector per instance; a bidirectional
LSTM, gated by attention over the bag, relates them; a convolution aggregates them into one vector per clip. B is the
batch, M the instances of a clip, L the frames of an instance, C the feature width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmaction.models import ResNet3d
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from benchmark_plugins.layers.precision import at_least_float32


class DMIN(nn.Module):
    """Dynamic multi-instance normalisation: (B, M, C) to (B, M, C).

    Each channel is normalised with a learned mixture of two means and of two variances: the channel's over the bag, and
    those over the whole of bag and channels (as instance and layer normalisation would use).
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(1, channels, 1))
        self.bias = nn.Parameter(torch.zeros(1, channels, 1))
        self.mean_weight = nn.Parameter(torch.ones(2))
        self.var_weight = nn.Parameter(torch.ones(2))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise, scale and shift; M must be at least 2."""
        # A variance as a difference of squares.
        x = at_least_float32(x)
        # The bag's variance is the unbiased one (divided by M - 1), also inside the layer's.
        var, mean = torch.var_mean(x, dim=1, keepdim=True)
        layer_mean = mean.mean(dim=2, keepdim=True)
        layer_var = (var + mean**2).mean(dim=2, keepdim=True) - layer_mean**2
        instance_share, layer_share = self.mean_weight.softmax(dim=0)
        mixed_mean = instance_share * mean + layer_share * layer_mean
        instance_share, layer_share = self.var_weight.softmax(dim=0)
        mixed_var = instance_share * var + layer_share * layer_var
        normal = (x - mixed_mean) / (mixed_var + self.eps).sqrt()
        return normal * self.weight.transpose(1, 2) + self.bias.transpose(1, 2)


@MODELS.register_module()
class M3DFEL(BaseModule):
    """The backbone: clips (B, 3, M * L, H, W) to clip features (B, 2 * hidden).

    frames: M * L. instance_length: L. width: channels of the ResNet's first stage. hidden: of the LSTM, in each
    direction. heads: of the attention. The paper's values are 16, 4, 64, 512 and 8.
    """

    def __init__(
        self, frames: int = 16, instance_length: int = 4, width: int = 64, hidden: int = 512, heads: int = 8
    ) -> None:
        super().__init__()
        self.instances = frames // instance_length
        self.heads = heads
        dim = 2 * hidden
        # R3D-18 of Tran et al. (CVPR 2018): no pooling after the stem, strides of 2 in time as well as in space.
        self.features = ResNet3d(
            depth=18,
            pretrained2d=False,
            base_channels=width,
            temporal_strides=(1, 2, 2, 2),
            with_pool1=False,
            with_pool2=False,
            zero_init_residual=False,
        )
        self.lstm = nn.LSTM(8 * width, hidden, num_layers=2, batch_first=True, bidirectional=True)
        self.to_qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.norm = DMIN(dim)
        self.pwconv = nn.Conv1d(self.instances, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Cut the clips into instances, relate these, aggregate them."""
        instances = x.unflatten(2, (self.instances, -1)).transpose(1, 2).flatten(0, 1)
        h = self.features(instances).mean(dim=(2, 3, 4)).unflatten(0, (-1, self.instances))
        h, _ = self.lstm(h)
        h = h * self.norm(self._attention(h)).sigmoid()
        # The instances are the convolution's channels; it slides along the features.
        return self.pwconv(h).squeeze(1)

    def _attention(self, x: Tensor) -> Tensor:
        """Self-attention over the bag with nothing round it: no normalisation, projection or shortcut."""
        q, k, v = self.to_qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
