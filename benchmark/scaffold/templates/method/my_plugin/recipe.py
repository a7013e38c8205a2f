"""How the method is trained, as pieces of an MMEngine config."""

from benchmark.specs import Preset, Recipe


def recipe(preset: Preset, num_classes: int) -> Recipe:
    """AdamW with a cosine over all epochs; crops of a clip, and their mirror images."""
    width = preset.model["width"]
    square = dict(type="Resize", scale=(preset.size, preset.size), keep_ratio=False)
    return Recipe(
        model=dict(
            type="Recognizer3D",
            backbone=dict(type="MyPluginBackbone", width=width),
            cls_head=dict(type="I3DHead", num_classes=num_classes, in_channels=4 * width, average_clips="prob"),
        ),
        format_shape="NCTHW",
        train_transforms=[
            dict(type="RandomResizedCrop", area_range=(0.8, 1.0)),
            square,
            dict(type="Flip", flip_ratio=0.5),
        ],
        test_transforms=[square],
        optim_wrapper=dict(optimizer=dict(type="AdamW", lr=0.002, weight_decay=0.01)),
        param_scheduler=[dict(type="CosineAnnealingLR", T_max=preset.epochs)],
        imports=["my_plugin.model"],
    )
