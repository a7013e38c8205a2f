"""The official VideoMAE's pre-training (github.com/MCG-NJU/VideoMAE), as its script builds it. Needs timm."""

import torch
from torch.nn.functional import mse_loss

CUBE = (2, 16, 16)
MASKED = 0.9
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def build(preset, num_classes):
    """The official model."""
    from modeling_pretrain import pretrain_videomae_base_patch16_224

    return pretrain_videomae_base_patch16_224(decoder_depth=4)


def loss(model, clips, targets):
    """Its loss. Its loader draws the mask: the same positions in all frames of a clip."""
    count, time, height, width = len(clips), *(size // part for size, part in zip(clips.shape[2:], CUBE, strict=True))
    order = torch.rand(count, height * width, device=clips.device).argsort(dim=1).argsort(dim=1)
    mask = (order < int(MASKED * height * width)).repeat(1, time)
    with torch.no_grad():
        mean, std = (clips.new_tensor(each).view(3, 1, 1, 1) for each in (MEAN, STD))
        values = (clips * std + mean).unflatten(4, (width, 16)).unflatten(3, (height, 16)).unflatten(2, (time, 2))
        cubes = values.permute(0, 2, 4, 6, 3, 5, 7, 1).flatten(4, 6).flatten(1, 3)
        wanted = (cubes - cubes.mean(dim=2, keepdim=True)) / (cubes.var(dim=2, keepdim=True).sqrt() + 1e-6)
        wanted = wanted.flatten(2)[mask].unflatten(0, (count, -1))
    return mse_loss(model(clips, mask), wanted)
