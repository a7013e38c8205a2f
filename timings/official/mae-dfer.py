"""The official MAE-DFER (github.com/sunlicai/MAE-DFER), as its DFEW script builds it. Needs timm."""

from torch.nn.functional import cross_entropy


def build(preset, num_classes):
    """The official model."""
    from modeling_finetune import vit_base_dim512_no_depth_patch16_160

    return vit_base_dim512_no_depth_patch16_160(
        num_classes=num_classes,
        all_frames=preset.sampling.frames,
        depth=16,
        drop_path_rate=0.1,
        init_scale=0.001,
        attn_type="local_global",
        lg_region_size=(2, 5, 10),
        lg_classify_token_type="region",
    )


def loss(model, clips, targets):
    """Its loss, without mixing."""
    return cross_entropy(model(clips), targets, label_smoothing=0.1)
