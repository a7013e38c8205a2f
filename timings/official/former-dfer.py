"""The official Former-DFER (github.com/zengqunzhao/Former-DFER): its model takes (B, T, 3, H, W) and has no options."""

from torch import nn
from torch.nn.functional import cross_entropy


def build(preset, num_classes):
    """The official model."""
    from models.ST_Former import GenerateModel

    model = GenerateModel()
    model.fc = nn.Linear(512, num_classes)
    return model


def loss(model, clips, targets):
    """Its loss."""
    return cross_entropy(model(clips.transpose(1, 2)), targets)
