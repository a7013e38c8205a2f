"""The official M3DFEL (github.com/Tencent/TFace, its folder attribute/M3DFEL). Needs timm and torchvision."""

from argparse import Namespace

from torch.nn.functional import cross_entropy


def build(preset, num_classes):
    """The official model."""
    from models import M3DFEL
    from torchvision.models.video import r3d_18

    # It would download trained weights, which time does not depend on.
    M3DFEL.r3d_18 = lambda weights: r3d_18()
    frames = preset.sampling.frames
    return M3DFEL.M3DFEL(Namespace(gpu_ids=[], num_frames=frames, instance_length=4, num_classes=num_classes))


def loss(model, clips, targets):
    """Its loss; of a single clip the model gives logits (K), not (1, K)."""
    return cross_entropy(model(clips.transpose(1, 2)).view_as(targets), targets, label_smoothing=0.1)
