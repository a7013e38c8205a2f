"""Random changes of whole clips on the device where the model is, to the same bytes as on the CPU.

RandAugment on the CPU takes several times as long as decoding a clip. So beside an accelerator whoever reads a clip
only draws what is to be done, from the clip's own stream, and the pixels are changed here, all frames at once. The
arithmetic is OpenCV's, in whole numbers and IEEE floats, so that it does not matter to a result where it was done.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from mmaction.registry import TRANSFORMS
from mmengine.config import Config
from torch import Tensor

from benchmark.training import transforms

# Steps that can be left to the device when they come one after the other, the first of them first.
FIRST = "ClipRandAugment"
LATER = ("RandomResizedCrop", "Resize", "Flip", "ClipErasing")
# What comes after the steps that change pixels.
PACKING = "FormatShape"


def leave_to_device(pipeline: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pipeline with what the device can do, from RandAugment to the packing, only drawn; else as it is."""
    types = [step["type"] for step in pipeline]
    if FIRST not in types or PACKING not in types:
        return list(pipeline)
    start, end = types.index(FIRST), types.index(PACKING)
    left = types[start + 1 : end]
    # Crops are enlarged to squares, or left as they are; other sizes would take other arithmetic.
    if [name for name in LATER if name in left] != left or left[:2] != ["RandomResizedCrop", "Resize"]:
        return list(pipeline)
    drawing = {"type": "DrawChanges", "steps": list(pipeline[start:end])}
    packing = [
        {**step, "meta_keys": (*step["meta_keys"], "changes")} if step["type"] == "PackActionInputs" else step
        for step in pipeline[end:]
    ]
    return [*pipeline[:start], drawing, *packing]


def leave_to_accelerator(config: Config) -> None:
    """Beside an accelerator, change a training's config so that what the device can do is left to it."""
    if torch.cuda.is_available():
        dataset = config.train_dataloader.dataset
        dataset.pipeline = leave_to_device(dataset.pipeline)


@TRANSFORMS.register_module()
class DrawChanges:
    """Draw what `steps` (RandAugment, crop, resize, flip, erasing) do to a clip, as they themselves would.

    Adds `changes`: names of functions in `CHANGES`, each with its arguments. A clip whose frames do not have the size
    that the steps end with is changed here: those of a batch must be of one size.
    """

    def __init__(self, steps: Sequence[dict[str, Any]]) -> None:
        self.steps = [TRANSFORMS.build(dict(step)) for step in steps]
        self.size = next(tuple(step["scale"]) for step in steps if step["type"] == "Resize")

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw, from the clip's stream."""
        height, width = results["imgs"][0].shape[:2]
        if (width, height) != self.size:
            for step in self.steps:
                results = step(results)
            return {**results, "changes": []}
        return {**results, "changes": self._drawn(len(results["imgs"]), height, width)}

    def _drawn(self, frames: int, height: int, width: int) -> list[tuple[Any, ...]]:
        changes: list[tuple[Any, ...]] = []
        for step in self.steps:
            if isinstance(step, transforms.ClipRandAugment):
                changes += [step.change(*drawn, height, width) for drawn in step.draw()]
            elif isinstance(step, transforms.ClipErasing):
                if drawn := step.draw(frames, height, width):
                    changes.append(("erase", *drawn))
            else:
                # MMAction2's own draw from the size alone.
                seen = step({"imgs": [], "img_shape": (height, width), "modality": "RGB"})
                if "crop_bbox" in seen:
                    changes.append(("crop", *map(int, seen["crop_bbox"]), height, width))
                if seen.get("flip"):
                    changes.append(("flip",))
        return changes


def apply_changes(clip: Tensor, changes: Sequence[tuple[Any, ...]]) -> Tensor:
    """A clip, uint8 (T, 3, H, W) or (1, 3, T, H, W), after `changes`; same shape."""
    frames = clip if clip.ndim == 4 else clip[0].transpose(0, 1)
    for name, *arguments in changes:
        frames = CHANGES[name](frames, *arguments)
    return frames if clip.ndim == 4 else frames.transpose(0, 1)[None]


def _there(values: np.ndarray, frames: Tensor) -> Tensor:
    """Values where the frames are; from memory that is not pinned they are read before this returns."""
    return torch.from_numpy(values).to(frames.device, non_blocking=True)


def _look_up(frames: Tensor, table: Tensor) -> Tensor:
    """Levels by a table (256,), or by one for each frame and channel (T, 1 or 3, 256)."""
    tables = table.expand(len(frames), 3, 256)
    return tables.gather(2, frames.flatten(2).long()).view(frames.shape)


def _cut_off(values: Tensor) -> Tensor:
    """Cut off at 0 and 255 and truncated, as `transforms.table` does it."""
    return values.clamp(0, 255).to(torch.uint8)


def _levels(frames: Tensor) -> Tensor:
    return torch.arange(256, dtype=torch.float64, device=frames.device)


def _by_table(make: Callable[..., np.ndarray]) -> Callable[..., Tensor]:
    def change(frames: Tensor, *arguments: Any) -> Tensor:
        return _look_up(frames, _there(make(*arguments), frames))

    return change


def _grey(frames: Tensor) -> Tensor:
    """OpenCV's grey (T, 1, H, W), int32."""
    red, green, blue = frames.int().unbind(1)
    return ((red * 9798 + green * 19235 + blue * 3735 + 16384) >> 15)[:, None]


def _mixed(frames: Tensor, factor: float, others: Tensor) -> Tensor:
    """`cv2.addWeighted(frames, factor, others, 1 - factor, 0)`: a multiplication and addition in one rounding."""
    first, second = np.float32(factor), np.float32(1 - factor)
    added = others.float() * float(second)
    return (frames.double() * float(first) + added.double()).float().round().clamp(0, 255).to(torch.uint8)


def adjust_contrast(frames: Tensor, factor: float) -> Tensor:
    """As `transforms.adjust_contrast`."""
    grey = _grey(frames)
    level = (grey.sum(dim=(1, 2, 3)).double() * (1.0 / grey[0].numel()) + 0.5).floor()[:, None, None]
    return _look_up(frames, _cut_off(level + factor * (_levels(frames) - level)))


def adjust_saturation(frames: Tensor, factor: float) -> Tensor:
    """As `transforms.adjust_saturation`."""
    return _mixed(frames, factor, _grey(frames).expand_as(frames))


def adjust_sharpness(frames: Tensor, factor: float) -> Tensor:
    """As `transforms.adjust_sharpness`."""
    levels, (height, width) = frames.int(), frames.shape[2:]
    smooth = frames.clone()
    if height > 2 and width > 2:
        inner = levels[:, :, 1:-1, 1:-1]
        around = [levels[:, :, y : height - 2 + y, x : width - 2 + x] for y in range(3) for x in range(3)]
        sums = torch.stack(around).sum(0, dtype=torch.int32) + 4 * inner
        smooth[:, :, 1:-1, 1:-1] = ((2 * sums + 13) // 26).to(torch.uint8)
    return _mixed(frames, factor, smooth)


def autocontrast(frames: Tensor) -> Tensor:
    """As `transforms.autocontrast`."""
    low, high = frames.flatten(2).aminmax(dim=2, keepdim=True)
    low, spread = low.double(), high.double() - low.double()
    # `255 / spread` would be a product with the rounded reciprocal.
    scale = torch.full_like(spread, 255).div(spread.clamp(min=1))
    levels = _levels(frames)
    return _look_up(frames, _cut_off(torch.where(spread > 0, levels * scale - low * scale, levels)))


def equalize(frames: Tensor) -> Tensor:
    """As `transforms.equalize`."""
    channels = 3 * len(frames)
    offsets = 256 * torch.arange(channels, device=frames.device).view(-1, 3, 1)
    places = (frames.flatten(2) + offsets).flatten()
    # Not bincount, which asks the device how many there are; of one dimension this has a deterministic algorithm.
    counts = places.new_zeros(256 * channels).scatter_add_(0, places, torch.ones_like(places)).view(-1, 3, 256)
    below = counts.cumsum(2) - counts
    # That of the brightest level that there is.
    brightest = 255 - (counts.flip(2) > 0).int().argmax(2, keepdim=True)
    step = (counts.sum(2, keepdim=True) - counts.gather(2, brightest)) // 255
    spread = (step // 2 + below) // step.clamp(min=1)
    return _look_up(frames, _cut_off(torch.where(step > 0, spread, _levels(frames).long())))


def warp(frames: Tensor, matrix: Sequence[Sequence[float]], fill: tuple[int, int, int], interpolation: int) -> Tensor:
    """As `transforms.warp` with bicubic interpolation: places in 32nds of a pixel, weights in 32,768ths."""
    height, width = frames.shape[2:]
    (xx, xy, x0), (yx, yy, y0) = transforms.from_centres(matrix)
    columns, rows = np.arange(width), np.arange(height)
    # In 1,024ths of a pixel.
    x = np.rint(1024 * xx * columns)[None] + np.rint(1024 * (xy * rows + x0))[:, None]
    y = np.rint(1024 * yx * columns)[None] + np.rint(1024 * (yy * rows + y0))[:, None]
    x, y = (x.astype(np.int64) + 16) >> 5, (y.astype(np.int64) + 16) >> 5
    weights = _there(_cubic_weights(), frames)[_there((y & 31) * 32 + (x & 31), frames)]
    left, top = _there(x >> 5, frames), _there(y >> 5, frames)
    # With one row and column of the colour around, where everything further away is looked up as well.
    bordered = _there(np.array(fill, np.int32), frames).view(1, 3, 1, 1)
    bordered = bordered.repeat(len(frames), 1, height + 2, width + 2)
    bordered[:, :, 1:-1, 1:-1] = frames.int()
    levels = bordered.flatten(2)
    sums = torch.full((len(frames), 3, height * width), 1 << 14, dtype=torch.int32, device=frames.device)
    for down in range(4):
        row = (top + (down - 1)).clamp(-1, height) + 1
        for right in range(4):
            column = (left + (right - 1)).clamp(-1, width) + 1
            place = (row * (width + 2) + column).flatten()
            sums += levels.index_select(2, place) * weights[:, :, 4 * down + right].flatten()
    return (sums >> 15).clamp(0, 255).to(torch.uint8).view(frames.shape)


@functools.cache
def _cubic_weights() -> np.ndarray:
    """OpenCV's weights (1024, 16), int32, of 4 x 4 pixels around each of 32 x 32 places inside a pixel.

    Each place's add up to 32,768; what rounding leaves over goes to the largest, or comes off the smallest, of the
    four that follow the middle.
    """
    one, a = np.float32(1), np.float32(-0.75)
    x = np.arange(32, dtype=np.float32) / np.float32(32)
    first = ((a * (x + one) - 5 * a) * (x + one) + 8 * a) * (x + one) - 4 * a
    second = ((a + 2) * x - (a + 3)) * x * x + one
    third = ((a + 2) * (one - x) - (a + 3)) * (one - x) * (one - x) + one
    line = np.stack([first, second, third, one - first - second - third], axis=1)
    weights = np.rint(line[:, None, :, None] * line[None, :, None, :] * np.float32(32768)).astype(np.int32)
    for square in weights.reshape(1024, 4, 4):
        over = square.sum() - 32768
        middle = square[2:, 2:]
        place = middle.argmax() if over < 0 else middle.argmin()
        middle[np.unravel_index(place, (2, 2))] -= over
    return weights.reshape(1024, 16)


def crop(frames: Tensor, left: int, top: int, right: int, bottom: int, height: int, width: int) -> Tensor:
    """Cut a box out and enlarge it to `height` x `width`, as `cv2.resize` does it in 2,048ths of a level."""
    x0, x1, a0, a1 = (_there(each, frames) for each in _between(right - left, width, clamped=True))
    y0, y1, b0, b1 = (_there(each, frames)[:, None] for each in _between(bottom - top, height, clamped=False))
    levels = frames[:, :, top:bottom, left:right].int()
    lines = (levels[..., x0] * a0 + levels[..., x1] * a1) >> 4
    upper, lower = lines[:, :, y0.flatten()], lines[:, :, y1.flatten()]
    return ((((b0 * upper) >> 16) + ((b1 * lower) >> 16) + 2) >> 2).to(torch.uint8)


def _between(before: int, after: int, clamped: bool) -> list[np.ndarray]:
    """For each of `after` pixels two of `before` and their weights. clamped: at the edge one of them has it all."""
    place = ((np.arange(after) + 0.5) * (before / after) - 0.5).astype(np.float32)
    first = np.floor(place).astype(np.int64)
    share = place - first.astype(np.float32)
    if clamped:
        share[(first < 0) | (first >= before - 1)] = 0
    weights = [np.rint(each * np.float32(2048)).astype(np.int32) for each in (np.float32(1) - share, share)]
    places = [np.clip(each, 0, before - 1) for each in (first, first + 1)]
    return [*places, *weights]


def erase(frames: Tensor, box: tuple[slice, slice], noise: np.ndarray) -> Tensor:
    """Put noise (T, h, w, 3) into the box."""
    erased = frames.clone()
    erased[:, :, box[0], box[1]] = _there(noise, frames).permute(0, 3, 1, 2)
    return erased


CHANGES: dict[str, Callable[..., Tensor]] = {
    "adjust_brightness": _by_table(functools.partial(transforms.blend_table, 0)),
    "posterize": _by_table(transforms.posterize_table),
    "solarize": _by_table(transforms.solarize_table),
    "solarize_add": _by_table(transforms.solarize_add_table),
    "invert": lambda frames: 255 - frames,
    "flip": lambda frames: frames.flip(-1),
    **{each.__name__: each for each in (adjust_contrast, adjust_saturation, adjust_sharpness)},
    **{each.__name__: each for each in (autocontrast, equalize, warp, crop, erase)},
}
