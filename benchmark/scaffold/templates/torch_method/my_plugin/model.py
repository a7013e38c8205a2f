"""The model: a plain torch module, which knows nothing of the benchmark."""

from torch import Tensor, nn


class MyPlugin(nn.Module):
    """Three strided convolutions over space and time, and one linear layer. width: channels of the first one."""

    def __init__(self, num_classes: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(_block(3, width), _block(width, 2 * width), _block(2 * width, 4 * width))
        self.classifier = nn.Linear(4 * width, num_classes)

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (B, 3, T, H, W), normalised float32, to logits (B, num_classes)."""
        features = self.layers(clips)
        return self.classifier(features.mean(dim=(2, 3, 4)))


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv3d(inputs, outputs, 3, stride=2, padding=1), nn.BatchNorm3d(outputs), nn.ReLU())
