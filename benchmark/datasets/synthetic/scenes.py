"""Film a made-up performance: a person before a background, and the aligned face crops cut from those frames."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from benchmark.datasets.synthetic.emotions import hold
from benchmark.datasets.synthetic.faces import Brush, draw_identity, oval, paint_face

SCENE_WIDTH, SCENE_HEIGHT = 320, 240
CROP = 224

_SCENE_SCALE = 96.0  # pixels per face unit
_CROP_SCALE = 106.0
_NOISE_MARGIN = 32


def film(performance: np.ndarray, rng: np.random.Generator) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Draw every frame of a clip.

    performance: (T, 6) as from `emotions.perform`. Returns T scene frames (240 x 320 x 3) and T face crops
    (224 x 224 x 3), uint8 RGB. Person, pose, light, occlusion and noise are drawn from `rng`.
    """
    frames = len(performance)
    who = draw_identity(rng)
    in_scene = _poses(frames, rng, (SCENE_WIDTH / 2, SCENE_HEIGHT / 2 + 4), _SCENE_SCALE, (14.0, 6.0), 6.0)
    # Face alignment takes most of the pose away; what it leaves is the small second pose.
    in_crop = _poses(frames, rng, (CROP / 2, CROP / 2), _CROP_SCALE, (3.0, 3.0), 2.0)
    background, light, noise = _background(rng), _light(rng), _noise(rng)
    occluded, occluder, cover = _occlusion(frames, rng)

    scenes, crops = [], []
    for t in range(frames):
        scene = background.copy()
        paint_face(scene, who, performance[t], in_scene[t])
        if occluded[t]:
            Brush(scene, in_scene[t]).fill(occluder, cover)
        scene = cv2.multiply(scene, light, dtype=cv2.CV_8U)
        y, x = rng.integers(0, _NOISE_MARGIN, 2)
        scene = cv2.add(scene, noise[y : y + SCENE_HEIGHT, x : x + SCENE_WIDTH], dtype=cv2.CV_8U)
        align = _compose(in_crop[t], cv2.invertAffineTransform(in_scene[t]))
        crop = cv2.warpAffine(scene, align, (CROP, CROP), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        scenes.append(scene)
        crops.append(crop)
    return scenes, crops


def photograph(mixture: Mapping[str, float], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One picture of a mixture of emotions at its height: the scene (240 x 320 x 3) and the face crop (224 x 224 x 3),
    uint8 RGB."""
    scenes, crops = film(hold(mixture, rng), rng)
    return scenes[0], crops[0]


def _poses(
    frames: int,
    rng: np.random.Generator,
    centre: tuple[float, float],
    scale: float,
    shift: tuple[float, float],
    degrees: float,
) -> np.ndarray:
    """Maps from face units to pixels, (frames, 2, 3): a random pose that drifts slowly into another."""
    start, end = rng.uniform(-1, 1, (2, 4))
    end = start + 0.4 * (end - start)
    path = start + (end - start) * np.linspace(0, 1, frames)[:, None]
    angle = np.deg2rad(degrees) * path[:, 0]
    zoom = scale * (1 + 0.03 * path[:, 1])
    maps = np.empty((frames, 2, 3))
    maps[:, 0, 0] = maps[:, 1, 1] = zoom * np.cos(angle)
    maps[:, 1, 0] = zoom * np.sin(angle)
    maps[:, 0, 1] = -maps[:, 1, 0]
    maps[:, :, 2] = np.array(centre) + np.array(shift) * path[:, 2:]
    return maps


def _compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """The affine map `outer(inner(point))`, all (2, 3)."""
    return np.concatenate([outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2:] + outer[:, 2:]], axis=1)


def _background(rng: np.random.Generator) -> np.ndarray:
    """A blurred room: (240, 320, 3) uint8."""
    canvas = np.empty((SCENE_HEIGHT, SCENE_WIDTH, 3), np.uint8)
    wall = rng.integers(90, 170)  # muted colours: the person is what there is to see
    canvas[:] = wall + rng.integers(-25, 26, 3)
    for _ in range(4):
        corner, size = rng.integers((0, 0), (SCENE_WIDTH, SCENE_HEIGHT)), rng.integers(30, 120, 2)
        colour = [int(v) for v in wall + rng.integers(-60, 61, 3)]
        cv2.rectangle(canvas, corner.tolist(), (corner + size).tolist(), colour, cv2.FILLED)
    return cv2.GaussianBlur(canvas, (0, 0), 6)


def _light(rng: np.random.Generator) -> np.ndarray:
    """A gain per pixel, (240, 320, 3) float32: overall brightness and a gradient across the scene."""
    x = np.linspace(-1, 1, SCENE_WIDTH, dtype=np.float32)[None, :, None]
    y = np.linspace(-1, 1, SCENE_HEIGHT, dtype=np.float32)[:, None, None]
    slope_x, slope_y = rng.uniform(-0.12, 0.12, 2)
    gain = rng.uniform(0.85, 1.12) + slope_x * x + slope_y * y
    return np.ascontiguousarray(np.broadcast_to(gain, (SCENE_HEIGHT, SCENE_WIDTH, 3)), dtype=np.float32)


def _noise(rng: np.random.Generator) -> np.ndarray:
    """Sensor noise, int16, a little larger than a scene: each frame takes another window of it, which is cheap."""
    shape = (SCENE_HEIGHT + _NOISE_MARGIN, SCENE_WIDTH + _NOISE_MARGIN, 3)
    return (rng.standard_normal(shape, dtype=np.float32) * rng.uniform(2.0, 5.0)).astype(np.int16)


def _occlusion(frames: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, tuple[int, int, int]]:
    """In one clip of ten something passes before the face: when (frames,), outline in face units, colour."""
    times = np.linspace(0, 1, frames)
    begin = rng.uniform(0.0, 0.7)
    present = (times >= begin) & (times <= begin + 0.3) & (rng.uniform() < 0.1)
    side = rng.choice([-1, 1])
    if rng.uniform() < 0.5:  # a hand at the cheek
        outline = oval((side * 0.7, rng.uniform(0.1, 0.8)), (0.35, 0.25))
        return present, outline, (196, 150, 120)
    left = side * 0.6 - 0.15  # a post in the foreground
    outline = np.array([[left, -1.6], [left + 0.3, -1.6], [left + 0.3, 1.6], [left, 1.6]])
    return present, outline, (70, 74, 80)
