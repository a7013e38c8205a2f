"""DFER-C: how clips are spoiled on purpose at test time, in eight ways of five severities each.

What goes wrong where faces are filmed: compression, few pixels, motion, little light, something in front of the face, a
player that hangs or skips, a face detector that trembles. After Hendrycks and Dietterich, Benchmarking Neural Network
Robustness to Common Corruptions and Perturbations, ICLR 2019 (five severities, mean over them); the ways are those of
videos of faces, and the severities our own.

Every function takes frames (list of T uint8 RGB arrays, H x W x 3), a severity of 1 to 5 and a random stream, and gives
new frames of the same number and size. One draw holds for a whole clip, but for the trembling box, which differs from
frame to frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

Frames = list[np.ndarray]
SEVERITIES = (1, 2, 3, 4, 5)
LITE = 3
GREY = 128


def jpeg(frames: Frames, severity: int, random: np.random.Generator) -> Frames:
    """JPEG of quality 25, 18, 13, 9 or 6."""
    quality = (25, 18, 13, 9, 6)[severity - 1]
    return [_through_jpeg(frame, quality) for frame in frames]


def rescaling(frames: Frames, severity: int, random: np.random.Generator) -> Frames:
    """Shrunk to 1/2, 1/3, 1/4, 1/6 or 1/8 of its width and height, and enlarged again."""
    share = (2, 3, 4, 6, 8)[severity - 1]
    return [_shrunk(frame, share) for frame in frames]


def motion_blur(frames: Frames, severity: int, random: np.random.Generator) -> Frames:
    """Smeared along one direction over 3, 5, 8, 11 or 15 % of the width."""
    import cv2

    length = max(round((0.03, 0.05, 0.08, 0.11, 0.15)[severity - 1] * frames[0].shape[1]), 3)
    kernel = _line(length, random.uniform(0, np.pi))
    return [cv2.filter2D(frame, -1, kernel, borderType=cv2.BORDER_REPLICATE) for frame in frames]


def low_light(frames: Frames, severity: int, random: np.random.Generator) -> Frames:
    """60, 45, 30, 20 or 12 % of the light, with the noise of so few photons (200 at full light)."""
    light = (0.6, 0.45, 0.3, 0.2, 0.12)[severity - 1]
    photons = 200.0
    dark = [random.poisson(frame / 255 * light * photons) / photons * 255 for frame in frames]
    return [np.clip(np.rint(frame), 0, 255).astype(np.uint8) for frame in dark]


def occlusion(frames: Frames, severity: int, random: np.random.Generator) -> Frames:
    """10, 20, 30, 40 or 50 % of the picture behind grey, from one of its four sides."""
    share = 0.1 * severity
    turns = int(random.integers(4))
    hidden = [np.rot90(frame, turns).copy() for frame in frames]
    for frame in hidden:
        frame[: round(share * len(frame))] = GREY
    return [np.ascontiguousarray(np.rot90(frame, -turns)) for frame in hidden]


def frozen(frames: Frames, severity: int, random: np.random.Generator) -> Frames:
    """One run of 20, 35, 50, 65 or 80 % of the frames shows the frame before it."""
    lost = round(_LOST[severity - 1] * len(frames))
    first = int(random.integers(1, len(frames) - lost + 1)) if lost < len(frames) else 1
    return [frames[first - 1 if first <= place < first + lost else place] for place in range(len(frames))]


def dropped(frames: Frames, severity: int, random: np.random.Generator) -> Frames:
    """20, 35, 50, 65 or 80 % of the frames are lost, and those that are left take their time."""
    left = max(len(frames) - round(_LOST[severity - 1] * len(frames)), 1)
    kept = np.sort(random.permutation(len(frames))[:left])
    return [frames[kept[place * left // len(frames)]] for place in range(len(frames))]


def trembling(frames: Frames, severity: int, random: np.random.Generator) -> Frames:
    """Each frame's crop is off by up to 2, 4, 7, 10 or 14 % of its size, in place and in scale."""
    amount = (0.02, 0.04, 0.07, 0.1, 0.14)[severity - 1]
    return [_moved(frame, *random.uniform(-amount, amount, 3)) for frame in frames]


_LOST = (0.2, 0.35, 0.5, 0.65, 0.8)

CORRUPTIONS: Mapping[str, Callable[[Frames, int, np.random.Generator], Frames]] = {
    "jpeg": jpeg,
    "rescaling": rescaling,
    "motion-blur": motion_blur,
    "low-light": low_light,
    "occlusion": occlusion,
    "frozen": frozen,
    "dropped": dropped,
    "trembling": trembling,
}


def corrupt(frames: Sequence[np.ndarray], name: str, severity: int, random: np.random.Generator) -> Frames:
    """The frames spoiled in one way; the arrays given are left as they are."""
    return CORRUPTIONS[name](list(frames), severity, random)


def _through_jpeg(frame: np.ndarray, quality: int) -> np.ndarray:
    import cv2

    done, data = cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.ascontiguousarray(decoded[..., ::-1])


def _shrunk(frame: np.ndarray, share: int) -> np.ndarray:
    import cv2

    height, width = frame.shape[:2]
    small = cv2.resize(frame, (max(width // share, 1), max(height // share, 1)), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def _line(length: int, angle: float) -> np.ndarray:
    """A kernel that averages over a line of `length` pixels."""
    size = length | 1
    kernel = np.zeros((size, size), np.float32)
    reach = (length - 1) / 2
    for step in np.linspace(-reach, reach, 4 * size):
        kernel[round(size // 2 + step * np.sin(angle)), round(size // 2 + step * np.cos(angle))] += 1
    return kernel / kernel.sum()


def _moved(frame: np.ndarray, right: float, down: float, zoom: float) -> np.ndarray:
    """Moved by shares of the size, zoomed about the middle; the edge is continued outwards."""
    import cv2

    height, width = frame.shape[:2]
    scale = 1 + zoom
    matrix = np.array(
        [
            [scale, 0, (1 - scale) * (width - 1) / 2 + right * width],
            [0, scale, (1 - scale) * (height - 1) / 2 + down * height],
        ]
    )
    return cv2.warpAffine(frame, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
