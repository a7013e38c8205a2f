"""Seven emotions as movements of a face: which facial parameter is where at which moment of a clip.

The emotions come in mirrored pairs. Both members of a pair visit the same facial configurations, in opposite order, so
that no single frame (and no unordered set of frames) tells them apart: a model has to see the order of events.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

EMOTIONS = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
MIRRORED = {"sad": "happy", "fear": "surprise", "disgust": "angry"}

PARAMETERS = ("brow_raise", "brow_frown", "eye_open", "mouth_curve", "mouth_open", "nose_wrinkle")
REST = np.array([0.0, 0.0, 0.5, 0.0, 0.0, 0.0])
LOWEST = np.array([-0.6, -1.0, 0.0, -1.0, 0.0, 0.0])
HIGHEST = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.0])

_EYE_OPEN = PARAMETERS.index("eye_open")
_MOUTH_OPEN = PARAMETERS.index("mouth_open")


def _pulse(moments: np.ndarray, start: float, top: float, end: float) -> np.ndarray:
    """0 before `start`, 1 at `top`, 0 after `end`, straight in between."""
    return np.interp(moments, [start, top, end], [0.0, 1.0, 0.0])


def _offsets(moments: np.ndarray, **amounts: np.ndarray) -> np.ndarray:
    """Named parameter curves as one array (T, 6) of differences from the face at rest."""
    return np.stack([amounts.get(name, np.zeros_like(moments)) for name in PARAMETERS], axis=1)


def _happy(moments: np.ndarray) -> np.ndarray:
    """A gloomy face that clears into a smile; backwards it is the sad one, a smile that gives way to gloom."""
    gloom, smile = _pulse(moments, 0.0, 0.2, 0.55), _pulse(moments, 0.45, 0.8, 1.0)
    return _offsets(
        moments,
        brow_frown=-0.9 * gloom,
        eye_open=-0.2 * gloom,
        mouth_curve=smile - 0.9 * gloom,
        mouth_open=0.25 * smile,
    )


def _angry(moments: np.ndarray) -> np.ndarray:
    """The brow leads and the mouth follows; backwards, as in disgust, the mouth leads."""
    brow, mouth = _pulse(moments, 0.0, 0.25, 0.7), _pulse(moments, 0.3, 0.75, 1.0)
    return _offsets(
        moments,
        brow_raise=-0.4 * brow,
        brow_frown=brow,
        eye_open=-0.15 * brow,
        mouth_curve=-0.7 * mouth,
        mouth_open=0.4 * mouth,
        nose_wrinkle=mouth,
    )


def _surprise(moments: np.ndarray) -> np.ndarray:
    """A sharp onset that fades slowly; backwards it is fear, which builds up slowly and breaks off."""
    level = _pulse(moments, 0.04, 0.18, 1.0)
    return _offsets(moments, brow_raise=level, eye_open=0.5 * level, mouth_open=0.9 * level)


_MOVEMENTS = {"happy": _happy, "angry": _angry, "surprise": _surprise}


def trajectory(emotion: str, moments: np.ndarray) -> np.ndarray:
    """How far an emotion moves the face from rest.

    moments: (T,) with 0 the clip's start and 1 its end. Returns (T, 6), columns as in `PARAMETERS`.
    """
    if emotion == "neutral":
        return np.zeros((len(moments), len(PARAMETERS)))
    if emotion in MIRRORED:
        return _MOVEMENTS[MIRRORED[emotion]](1.0 - moments)
    return _MOVEMENTS[emotion](moments)


def perform(mixture: Mapping[str, float], frames: int, rng: np.random.Generator) -> np.ndarray:
    """One person's performance of a convex mixture of emotions, with the tempo, strength, speech and blinks of the day.

    Returns (frames, 6) parameters within `LOWEST`..`HIGHEST`. Everything random is distributed alike forwards and
    backwards in time, so that nuisances do not betray which member of a mirrored pair is played.
    """
    times = np.linspace(0.0, 1.0, frames)
    moments = 0.5 + (times - 0.5) * rng.uniform(0.95, 1.1) + rng.uniform(-0.04, 0.04)
    movement = sum(weight * trajectory(emotion, moments) for emotion, weight in mixture.items())
    face = REST + rng.uniform(0.85, 1.1) * movement

    speech = np.sin(2 * np.pi * (rng.uniform(1.5, 3.0) * times + rng.uniform())) ** 2
    face[:, _MOUTH_OPEN] += rng.uniform(0.0, 0.12) * speech
    face += rng.normal(0.0, 0.04, size=len(PARAMETERS))  # nobody's resting face is quite at rest
    for blink in rng.uniform(0.0, 1.0, size=rng.integers(0, 3)):
        face[np.abs(times - blink) < 0.03, _EYE_OPEN] = 0.0
    return np.clip(face, LOWEST, HIGHEST)
