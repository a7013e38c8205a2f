"""The model: an MMAction2 backbone. Its head is one of MMAction2's own, which `recipe.py` chooses."""

from mmaction.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class MyPluginBackbone(nn.Module):
    """Three strided convolutions over space and time. width: channels of the first one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(_block(3, width), _block(width, 2 * width), _block(2 * width, 4 * width))

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (B, 3, T, H, W) to features (B, 4 * width, T / 8, H / 8, W / 8)."""
        return self.layers(clips)


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv3d(inputs, outputs, 3, stride=2, padding=1), nn.BatchNorm3d(outputs), nn.ReLU())
