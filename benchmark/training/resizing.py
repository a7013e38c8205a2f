"""Resizing as the codes do that load frames with Pillow: smoothed before it is sampled, where a frame gets smaller."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmaction.datasets.transforms import Resize
from mmaction.registry import TRANSFORMS
from PIL import Image


@TRANSFORMS.register_module()
class AntialiasedResize(Resize):
    """MMAction2's `Resize` by Pillow's bilinear filter, whose reach grows with the reduction.

    OpenCV's looks at four pixels whatever the reduction, so that fine lines flicker. torchvision's transforms of images
    are Pillow's.
    """

    def _resize_imgs(self, imgs: list[Any], new_w: int, new_h: int) -> list[np.ndarray]:
        size, kept = (new_w, new_h), Image.Resampling.BILINEAR
        return [np.asarray(Image.fromarray(frame).resize(size, kept)).copy() for frame in imgs]
