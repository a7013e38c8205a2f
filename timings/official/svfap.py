"""The official SVFAP (github.com/sunlicai/SVFAP), as its DFEW script builds it. Needs timm."""

from torch.nn.functional import cross_entropy


def build(preset, num_classes):
    """The official model."""
    from modeling_finetune import svfap_base_patch16_160

    return svfap_base_patch16_160(
        num_classes=num_classes, all_frames=preset.sampling.frames, drop_path_rate=0.1, init_scale=0.001
    )


def loss(model, clips, targets):
    """Its loss, without mixing."""
    return cross_entropy(model(clips), targets, label_smoothing=0.1)
