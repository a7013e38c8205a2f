"""Draw a made-up face: an identity, and what its expression does to brows, eyes, nose and mouth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from benchmark.datasets.synthetic.emotions import PARAMETERS

Colour = tuple[int, int, int]

_SKINS = ((224, 188, 160), (205, 160, 128), (176, 128, 96), (236, 205, 182), (150, 104, 76), (190, 146, 108))
_HAIRS = ((40, 30, 24), (84, 54, 32), (24, 22, 26), (150, 112, 60), (120, 110, 108), (104, 44, 28))
_IRISES = ((60, 40, 26), (52, 84, 120), (64, 96, 60), (80, 60, 40))
_SUBPIXEL_BITS = 4


@dataclass(frozen=True)
class Identity:
    """A person. Lengths are in face units: the origin lies between the eyes and the nose, the chin about 1 below."""

    skin: Colour
    hair: Colour
    iris: Colour
    lips: Colour
    shirt: Colour
    width: float
    jaw: float
    hairline: float
    long_hair: bool
    eye_distance: float
    eye_size: float
    brow_height: float
    brow_thickness: float
    nose_length: float
    mouth_width: float
    mouth_height: float
    glasses: bool


def draw_identity(rng: np.random.Generator) -> Identity:
    """A random person; colours are RGB."""
    skin = np.clip(np.array(_SKINS[rng.integers(len(_SKINS))]) + rng.normal(0, 6, 3), 40, 245)
    return Identity(
        skin=_colour(skin),
        hair=_colour(np.array(_HAIRS[rng.integers(len(_HAIRS))]) * rng.uniform(0.8, 1.1)),
        iris=_IRISES[rng.integers(len(_IRISES))],
        lips=_colour(skin * (0.78, 0.42, 0.42)),
        shirt=_colour(rng.uniform(40, 200, 3)),
        width=rng.uniform(0.80, 0.90),
        jaw=rng.uniform(0.72, 0.95),
        hairline=rng.uniform(-0.86, -0.74),
        long_hair=bool(rng.uniform() < 0.4),
        eye_distance=rng.uniform(0.36, 0.41),
        eye_size=rng.uniform(0.20, 0.23),
        brow_height=rng.uniform(-0.50, -0.46),
        brow_thickness=rng.uniform(0.075, 0.10),
        nose_length=rng.uniform(0.22, 0.28),
        mouth_width=rng.uniform(0.36, 0.42),
        mouth_height=rng.uniform(0.55, 0.60),
        glasses=bool(rng.uniform() < 0.12),
    )


def _colour(values: np.ndarray) -> Colour:
    red, green, blue = (int(v) for v in np.clip(values, 0, 255))
    return red, green, blue


class Brush:
    """Fills and strokes shapes given in face units on a uint8 RGB canvas (H, W, 3), which it changes.

    to_pixels: (2, 3) affine map from face units to pixels.
    """

    def __init__(self, canvas: np.ndarray, to_pixels: np.ndarray):
        self.canvas = canvas
        self.to_pixels = to_pixels
        self.scale = float(np.sqrt(abs(np.linalg.det(to_pixels[:, :2]))))

    def _pixels(self, points: np.ndarray) -> np.ndarray:
        pixels = np.asarray(points) @ self.to_pixels[:, :2].T + self.to_pixels[:, 2]
        return np.round(pixels * (1 << _SUBPIXEL_BITS)).astype(np.int32)

    def fill(self, points: np.ndarray, colour: Colour) -> None:
        """Fill a polygon (N, 2)."""
        cv2.fillPoly(self.canvas, [self._pixels(points)], colour, cv2.LINE_AA, _SUBPIXEL_BITS)

    def stroke(self, points: np.ndarray, colour: Colour, thickness: float, closed: bool = False) -> None:
        """Draw a line through points (N, 2)."""
        pixels = max(1, round(thickness * self.scale))
        cv2.polylines(self.canvas, [self._pixels(points)], closed, colour, pixels, cv2.LINE_AA, _SUBPIXEL_BITS)

    def ellipse(self, centre: tuple[float, float], radii: tuple[float, float], colour: Colour) -> None:
        """Fill an ellipse."""
        self.fill(oval(centre, radii), colour)


def oval(centre: tuple[float, float], radii: tuple[float, float], points: int = 40) -> np.ndarray:
    """An ellipse's outline, (points, 2)."""
    angles = np.linspace(0, 2 * np.pi, points, endpoint=False)
    return np.stack([centre[0] + radii[0] * np.cos(angles), centre[1] + radii[1] * np.sin(angles)], axis=1)


def paint_face(canvas: np.ndarray, identity: Identity, expression: np.ndarray, to_pixels: np.ndarray) -> None:
    """Draw a person's head on `canvas` (uint8 RGB, H x W x 3), which is changed.

    expression: (6,) in the order of `PARAMETERS`. to_pixels: (2, 3) affine map from face units to pixels.
    """
    brush = Brush(canvas, to_pixels)
    values = dict(zip(PARAMETERS, expression.tolist(), strict=True))
    _head(brush, identity)
    _nose(brush, identity, values["nose_wrinkle"])
    _mouth(brush, identity, values["mouth_curve"], values["mouth_open"], values["nose_wrinkle"])
    for side in (-1, 1):
        _eye(brush, identity, side, values["eye_open"])
        _brow(brush, identity, side, values["brow_raise"], values["brow_frown"])
    if identity.glasses:
        _glasses(brush, identity)


def _head(brush: Brush, who: Identity) -> None:
    brush.ellipse((0, 2.0), (1.35, 0.95), who.shirt)
    brush.fill(np.array([[-0.4, 0.6], [0.4, 0.6], [0.45, 1.25], [-0.45, 1.25]]), _shade(who.skin, 0.8))
    if who.long_hair:
        brush.ellipse((0, -0.1), (who.width + 0.2, 1.25), who.hair)
    else:
        brush.ellipse((0, -0.45), (who.width + 0.08, 0.72), who.hair)
    for side in (-1, 1):
        brush.ellipse((side * (who.width + 0.02), 0.0), (0.1, 0.2), _shade(who.skin, 0.88))
    outline = oval((0, 0), (who.width, 1.05))
    below = outline[:, 1] > 0
    outline[below, 0] *= 1 - (1 - who.jaw) * (outline[below, 1] / 1.05) ** 2
    brush.fill(outline, who.skin)
    top = outline[outline[:, 1] < who.hairline]
    brush.fill(top[np.argsort(top[:, 0])] * (1.03, 1.06), who.hair)


def _eye(brush: Brush, who: Identity, side: int, openness: float) -> None:
    centre = (side * who.eye_distance, -0.17)
    height = who.eye_size * (0.08 + 0.95 * openness)
    dark = _shade(who.skin, 0.3)
    brush.ellipse(centre, (who.eye_size, height), (246, 246, 244))
    if height > 0.05:
        radius = min(0.1, height)
        brush.ellipse(centre, (0.1, radius), who.iris)
        brush.ellipse(centre, (0.045, min(0.045, height)), (12, 10, 10))
    brush.stroke(oval(centre, (who.eye_size, height), 24), dark, 0.03, closed=True)


def _brow(brush: Brush, who: Identity, side: int, raised: float, frown: float) -> None:
    along = np.linspace(0, 1, 8)  # from the inner end to the outer one
    inner = 0.15 - 0.05 * max(frown, 0.0)
    x = inner + (0.62 - inner) * along
    y = who.brow_height - 0.2 * raised - 0.06 * np.sin(np.pi * along)
    y = y + frown * (0.17 * (1 - along) - 0.07 * along)
    brush.stroke(np.stack([side * x, y], axis=1), _shade(who.hair, 0.6), who.brow_thickness)


def _nose(brush: Brush, who: Identity, wrinkle: float) -> None:
    dark = _shade(who.skin, 0.62)
    tip = 0.05 + who.nose_length - 0.06 * wrinkle
    brush.stroke(np.array([[-0.1, tip], [-0.05, tip + 0.04], [0.05, tip + 0.04], [0.1, tip]]), dark, 0.045)
    brush.stroke(np.array([[0.05, -0.1], [0.08, tip - 0.08]]), _shade(who.skin, 0.82), 0.03)
    if wrinkle > 0.1:
        for side in (-1, 1):
            fold = np.array([[side * 0.14, tip - 0.06], [side * 0.36, tip + 0.2]])
            brush.stroke(fold, dark, 0.08 * wrinkle)
        for y in (-0.12, -0.02):
            brush.stroke(np.array([[-0.1, y + 0.03], [0, y], [0.1, y + 0.03]]), dark, 0.06 * wrinkle)


def _mouth(brush: Brush, who: Identity, curve: float, opened: float, sneer: float) -> None:
    across = np.linspace(-1, 1, 17)
    half_width = who.mouth_width * (1 + 0.18 * abs(curve) - 0.3 * opened * (1 - abs(curve)))
    bow = 1 - across**2
    middle = who.mouth_height - 0.06 * sneer + 0.27 * curve * (bow - 0.5)
    gap = 0.46 * opened * np.sqrt(bow)
    upper, lower = middle - 0.35 * gap, middle + 0.65 * gap
    x = half_width * across
    outline = np.concatenate([np.stack([x, upper], 1), np.stack([x, lower], 1)[::-1]])
    brush.fill(outline, (52, 14, 18))
    if opened > 0.15 and (sneer > 0.2 or curve > 0.3):
        teeth = np.minimum(upper + 0.09, lower)
        brush.fill(np.concatenate([np.stack([x, upper], 1), np.stack([x, teeth], 1)[::-1]]), (240, 238, 230))
    brush.stroke(outline, who.lips, 0.07, closed=True)


def _glasses(brush: Brush, who: Identity) -> None:
    for side in (-1, 1):
        frame = oval((side * who.eye_distance, -0.16), (0.29, 0.25), 28)
        brush.stroke(frame, (30, 30, 34), 0.03, closed=True)
    brush.stroke(np.array([[-0.1, -0.18], [0.1, -0.18]]), (30, 30, 34), 0.03)


def _shade(colour: Colour, factor: float) -> Colour:
    return _colour(np.array(colour) * factor)
