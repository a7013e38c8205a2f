"""The official TSM (github.com/mit-han-lab/temporal-shift-module) with a ResNet-18. Needs torchvision."""

from torch.nn.functional import cross_entropy


def build(preset, num_classes):
    """The official model, with its batch norms trained as in its Kinetics script."""
    from ops.models import TSN

    return TSN(
        num_classes,
        preset.sampling.frames,
        "RGB",
        base_model="resnet18",
        dropout=0.5,
        partial_bn=False,
        pretrain="",
        is_shift=True,
        print_spec=False,
    )


def loss(model, clips, targets):
    """Its loss; the model takes (B, 3 T, H, W), frame after frame."""
    return cross_entropy(model(clips.transpose(1, 2).flatten(1, 2)), targets)
