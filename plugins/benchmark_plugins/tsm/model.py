"""MMAction2's ResNet with temporal shift (Lin et al., ICCV 2019, section 4), at any width."""

from __future__ import annotations

from mmaction.models import ResNetTSM
from mmaction.models.backbones.resnet import make_res_layer
from mmaction.registry import MODELS
from mmcv.cnn import ConvModule


@MODELS.register_module()
class ScalableResNetTSM(ResNetTSM):
    """ResNetTSM whose first stage has `width` channels; MMAction2 fixes it at 64.

    Frames (B * num_segments, 3, H, W) to features (B * num_segments, 8 * width * expansion, H / 32, W / 32).
    """

    def __init__(self, depth: int, width: int = 64, **options) -> None:
        # Built unshifted, because the shift wraps convolutions that a narrow network replaces; `pretrained2d` loads an
        # ImageNet file by URL, and MMAction2 crashes when there is none.
        super().__init__(depth, is_shift=False, pretrained2d=False, **options)
        if width != 64:
            self._rebuild(width)
        self.is_shift = True
        self.make_temporal_shift()

    def _rebuild(self, width: int) -> None:
        layer_options = dict(conv_cfg=self.conv_cfg, norm_cfg=self.norm_cfg, act_cfg=self.act_cfg)
        self.conv1 = ConvModule(self.in_channels, width, 7, stride=2, padding=3, bias=False, **layer_options)
        inputs = width
        for i, (name, blocks) in enumerate(zip(self.res_layers, self.stage_blocks, strict=True)):
            planes = width * 2**i
            layer = make_res_layer(
                self.block,
                inputs,
                planes,
                blocks,
                stride=self.strides[i],
                dilation=self.dilations[i],
                style=self.style,
                with_cp=self.with_cp,
                **layer_options,
            )
            setattr(self, name, layer)
            inputs = planes * self.block.expansion
        self.feat_dim = inputs
