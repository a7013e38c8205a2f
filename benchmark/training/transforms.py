"""Random changes of colour and geometry that are the same for every frame of a clip.

All of them read and replace `results["imgs"]`, a list of uint8 RGB arrays (H, W, 3) of any size, never write into the
arrays they were given (these may belong to the frame cache), and draw from NumPy's global generator alone, which the
harness seeds for each clip. MMAction2's own ColorJitter fixes the order of its four steps when it is built and turns
hues by a wrong amount, so it is not used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
from mmaction.registry import TRANSFORMS

from benchmark.specs import IMAGENET_MEAN, IMAGENET_STD

LEVELS = np.arange(256)
GREY = (128, 128, 128)
BLACK = (0, 0, 0)
# Pillow's SMOOTH filter, which its sharpness enhancement moves away from or towards.
SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], dtype=np.float32) / 13

Frame = np.ndarray


def table(values: np.ndarray) -> np.ndarray:
    """Grey levels as a lookup table for cv2.LUT, cut off and truncated as Pillow does."""
    return np.clip(values, 0, 255).astype(np.uint8)


def blend_table(level: float, factor: float) -> np.ndarray:
    """Table of Pillow's enhancement: from one `level` (factor 0) past the frame itself (factor 1)."""
    return table(level + factor * (LEVELS - level))


def posterize_table(bits: int) -> np.ndarray:
    """Table of `posterize`."""
    return table(LEVELS >> (8 - bits) << (8 - bits))


def solarize_table(threshold: int) -> np.ndarray:
    """Table of `solarize`."""
    return table(np.where(threshold > LEVELS, LEVELS, 255 - LEVELS))


def solarize_add_table(amount: int) -> np.ndarray:
    """Table of `solarize_add`."""
    return table(np.where(LEVELS < 128, LEVELS + amount, LEVELS))


def adjust_brightness(frame: Frame, factor: float) -> Frame:
    """0 is black, 1 the frame."""
    return cv2.LUT(frame, blend_table(0, factor))


def adjust_contrast(frame: Frame, factor: float) -> Frame:
    """0 is the frame's mean grey, 1 the frame."""
    mean = cv2.mean(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))[0]
    return cv2.LUT(frame, blend_table(int(mean + 0.5), factor))


def adjust_saturation(frame: Frame, factor: float) -> Frame:
    """0 is the frame in grey, 1 the frame."""
    grey = cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(frame, factor, grey, 1 - factor, 0)


def adjust_sharpness(frame: Frame, factor: float) -> Frame:
    """0 is the smoothed frame, 1 the frame. The outermost pixels stay, as in Pillow."""
    smooth = frame.copy()
    smooth[1:-1, 1:-1] = cv2.filter2D(frame, -1, SMOOTH)[1:-1, 1:-1]
    return cv2.addWeighted(frame, factor, smooth, 1 - factor, 0)


def adjust_hue(frame: Frame, turn: float) -> Frame:
    """Turn every hue by `turn`, a share of the whole circle."""
    hsv = cv2.cvtColor(frame, cv2.COLOR_RGB2HSV_FULL)
    tables = np.stack([(LEVELS + int(turn * 255)) % 256, LEVELS, LEVELS], axis=1)
    return cv2.cvtColor(cv2.LUT(hsv, tables[:, None].astype(np.uint8)), cv2.COLOR_HSV2RGB_FULL)


def autocontrast(frame: Frame) -> Frame:
    """Stretch each channel so that it reaches from 0 to 255; a channel of one level stays."""
    low, high = np.array([cv2.minMaxLoc(channel)[:2] for channel in cv2.split(frame)]).T
    spread = high - low
    scale = 255 / np.maximum(spread, 1)
    stretched = LEVELS[:, None] * scale - low * scale
    return cv2.LUT(frame, table(np.where(spread > 0, stretched, LEVELS[:, None]))[:, None])


def equalize(frame: Frame) -> Frame:
    """Spread each channel's levels so that they occur about equally often; one with too few pixels stays."""
    tables = []
    for channel in range(3):
        counts = cv2.calcHist([frame], [channel], None, [256], [0, 256]).ravel().astype(np.int64)
        step = (counts.sum() - counts[counts > 0][-1]) // 255
        tables.append((step // 2 + counts.cumsum() - counts) // step if step else LEVELS)
    return cv2.LUT(frame, table(np.stack(tables, axis=1))[:, None])


def invert(frame: Frame) -> Frame:
    """The negative."""
    return cv2.bitwise_not(frame)


def posterize(frame: Frame, bits: int) -> Frame:
    """Keep the `bits` highest bits of each level."""
    return cv2.LUT(frame, posterize_table(bits))


def solarize(frame: Frame, threshold: int) -> Frame:
    """Invert the levels from `threshold` on."""
    return cv2.LUT(frame, solarize_table(threshold))


def solarize_add(frame: Frame, amount: int) -> Frame:
    """Make the darker half of the levels lighter by `amount`."""
    return cv2.LUT(frame, solarize_add_table(amount))


def warp(frame: Frame, matrix: Sequence[Sequence[float]], fill: tuple[int, int, int], interpolation: int) -> Frame:
    """Look up each pixel where `matrix` (2 x 3), applied to its (x, y, 1), says; `fill` where that is outside.

    Coordinates are Pillow's: the first pixel reaches from 0 to 1, and its centre is 0.5.
    """
    size = frame.shape[1], frame.shape[0]
    flags = interpolation | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(frame, from_centres(matrix), size, flags=flags, borderValue=fill)


def from_centres(matrix: Sequence[Sequence[float]]) -> np.ndarray:
    """The matrix (2, 3) of `warp` in OpenCV's coordinates, whose whole numbers are the centres of pixels."""
    inverse = np.array(matrix, dtype=float)
    inverse[:, 2] += inverse[:, :2] @ (0.5, 0.5) - 0.5
    return inverse


def rotate(frame: Frame, degrees: float, fill: tuple[int, int, int], interpolation: int) -> Frame:
    """Turn the frame anticlockwise about its middle."""
    return warp(frame, rotation(degrees, *frame.shape[:2]), fill, interpolation)


def rotation(degrees: float, height: int, width: int) -> Sequence[Sequence[float]]:
    """The matrix by which `warp` turns a frame of this size anticlockwise about its middle."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y = width / 2, height / 2
    return (cos, -sin, x - cos * x + sin * y), (sin, cos, y - sin * x - cos * y)


FUNCTIONS: dict[str, Callable[..., Frame]] = {
    function.__name__: function
    for function in (
        *(autocontrast, equalize, invert, posterize, solarize, solarize_add, warp),
        *(adjust_saturation, adjust_contrast, adjust_brightness, adjust_sharpness),
    )
}


def _random_sign() -> float:
    return -1.0 if np.random.random() < 0.5 else 1.0


@TRANSFORMS.register_module()
class ClipRandAugment:
    """RandAugment (Cubuk et al., NeurIPS 2020), in the form that timm calls `rand-m7-n4-mstd0.5-inc1`.

    `num_ops` of fifteen operations are drawn, with repetition; each is applied with probability 0.5 at a strength drawn
    from a normal distribution about `magnitude` (0 to 10) with deviation `magnitude_std`. All operations grow stronger
    with the magnitude. Pixels that come from outside the frame get the colour `fill`.
    """

    OPERATIONS = (
        *("autocontrast", "equalize", "invert", "posterize", "solarize", "solarize_add", "rotate"),
        *("saturation", "contrast", "brightness", "sharpness"),
        *("shear_x", "shear_y", "translate_x", "translate_y"),
    )

    def __init__(
        self,
        magnitude: float = 7,
        num_ops: int = 4,
        magnitude_std: float = 0.5,
        fill: tuple[int, int, int] = GREY,
    ) -> None:
        self.magnitude = magnitude
        self.num_ops = num_ops
        self.magnitude_std = magnitude_std
        self.fill = fill

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw the operations once and apply them to every frame."""
        for drawn in self.draw():
            change = self.operation(*drawn)
            results["imgs"] = [change(frame) for frame in results["imgs"]]
        return results

    def draw(self) -> list[tuple[str, float, float]]:
        """Operations in their order, each with its strength of 0 to 1 and a sign (-1 or 1)."""
        drawn = []
        for number in np.random.randint(len(self.OPERATIONS), size=self.num_ops):
            if np.random.random() < 0.5:
                strength = np.clip(np.random.normal(self.magnitude, self.magnitude_std), 0, 10) / 10
                drawn.append((self.OPERATIONS[number], float(strength), _random_sign()))
        return drawn

    def operation(self, name: str, strength: float, sign: float) -> Callable[[Frame], Frame]:
        """What the operation does to a frame; `sign` counts where it has a direction."""

        def change(frame: Frame) -> Frame:
            function, *arguments = self.change(name, strength, sign, *frame.shape[:2])
            return FUNCTIONS[function](frame, *arguments)

        return change

    def change(self, name: str, strength: float, sign: float, height: int, width: int) -> tuple[Any, ...]:
        """The operation on a frame of this size as the name of a function in `FUNCTIONS` and its arguments."""
        factor = 1 + sign * 0.9 * strength
        shear = sign * 0.3 * strength
        shift = sign * 0.45 * strength
        cubic = self.fill, cv2.INTER_CUBIC
        return {
            "autocontrast": ("autocontrast",),
            "equalize": ("equalize",),
            "invert": ("invert",),
            "posterize": ("posterize", 4 - int(4 * strength)),
            "solarize": ("solarize", 256 - int(256 * strength)),
            "solarize_add": ("solarize_add", int(110 * strength)),
            "rotate": ("warp", rotation(sign * 30 * strength, height, width), *cubic),
            "saturation": ("adjust_saturation", factor),
            "contrast": ("adjust_contrast", factor),
            "brightness": ("adjust_brightness", factor),
            "sharpness": ("adjust_sharpness", factor),
            "shear_x": ("warp", ((1, shear, 0), (0, 1, 0)), *cubic),
            "shear_y": ("warp", ((1, 0, 0), (shear, 1, 0)), *cubic),
            "translate_x": ("warp", ((1, 0, shift * width), (0, 1, 0)), *cubic),
            "translate_y": ("warp", ((1, 0, 0), (0, 1, shift * height)), *cubic),
        }[name]


@TRANSFORMS.register_module()
class ClipErasing:
    """Random erasing (Zhong et al., AAAI 2020) with noise: with probability `prob`, one box for the whole clip.

    The box covers a share of the frame out of `area`, its height to width ratio is log-uniform out of `aspect`. Every
    pixel in it is drawn anew in every frame: standard normal after normalisation, that is, about `mean` with deviation
    `std` (per RGB channel, 0..255 scale); what falls outside 0..255 is cut off.
    """

    def __init__(
        self,
        prob: float = 0.25,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        area: tuple[float, float] = (0.02, 1 / 3),
        aspect: tuple[float, float] = (0.3, 1 / 0.3),
    ) -> None:
        self.prob = prob
        self.mean = np.asarray(mean)
        self.std = np.asarray(std)
        self.area = area
        self.aspect = aspect

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Erase, or not."""
        frames = results["imgs"]
        if drawn := self.draw(len(frames), *frames[0].shape[:2]):
            (rows, columns), noise = drawn
            results["imgs"] = [frame.copy() for frame in frames]
            for frame, pixels in zip(results["imgs"], noise, strict=True):
                frame[rows, columns] = pixels
        return results

    def draw(self, frames: int, height: int, width: int) -> tuple[tuple[slice, slice], np.ndarray] | None:
        """Rows and columns to erase in frames of this size, and their pixels (T, h, w, 3), uint8; None: no erasing."""
        if not (np.random.random() < self.prob and (box := self._box(height, width))):
            return None
        shape = box[0].stop - box[0].start, box[1].stop - box[1].start, 3
        noise = (self.mean + self.std * np.random.standard_normal(shape) for _ in range(frames))
        return box, np.stack([np.clip(each.round(), 0, 255).astype(np.uint8) for each in noise])

    def _box(self, height: int, width: int) -> tuple[slice, slice] | None:
        """Rows and columns to erase; None if ten draws gave no box that fits."""
        for _ in range(10):
            pixels = np.random.uniform(*self.area) * height * width
            aspect = math.exp(np.random.uniform(*np.log(self.aspect)))
            rows, columns = round(math.sqrt(pixels * aspect)), round(math.sqrt(pixels / aspect))
            if rows < height and columns < width:
                top, left = np.random.randint(height - rows + 1), np.random.randint(width - columns + 1)
                return slice(top, top + rows), slice(left, left + columns)
        return None


@TRANSFORMS.register_module()
class ClipColorJitter:
    """Torchvision's ColorJitter, with probability `prob`, one draw for the whole clip.

    Brightness, contrast and saturation are multiplied by factors uniform in 1 +- the given value, the hue is turned by
    a share of the circle uniform in +- `hue`; in random order.
    """

    def __init__(
        self,
        brightness: float = 0,
        contrast: float = 0,
        saturation: float = 0,
        hue: float = 0,
        prob: float = 1.0,
    ) -> None:
        self.steps = [
            (change, (max(0.0, 1 - spread), 1 + spread) if around else (-spread, spread))
            for change, spread, around in (
                (adjust_brightness, brightness, 1),
                (adjust_contrast, contrast, 1),
                (adjust_saturation, saturation, 1),
                (adjust_hue, hue, 0),
            )
            if spread
        ]
        self.prob = prob

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw the order and the factors once and apply them to every frame."""
        if np.random.random() < self.prob:
            for number in np.random.permutation(len(self.steps)):
                change, bounds = self.steps[number]
                amount = np.random.uniform(*bounds)
                results["imgs"] = [change(frame, amount) for frame in results["imgs"]]
        return results


@TRANSFORMS.register_module()
class ClipRotate:
    """With probability `prob`, turn the whole clip by one angle uniform in +- `degrees`; the corners get `fill`."""

    def __init__(self, degrees: float, prob: float = 1.0, fill: tuple[int, int, int] = BLACK) -> None:
        self.degrees = degrees
        self.prob = prob
        self.fill = fill

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Draw the angle once and turn every frame."""
        if np.random.random() < self.prob:
            angle = np.random.uniform(-self.degrees, self.degrees)
            results["imgs"] = [rotate(frame, angle, self.fill, cv2.INTER_LINEAR) for frame in results["imgs"]]
        return results
