"""Emotions as movements of a face: which facial parameter is where at which moment of a clip.

Six of the seven basic emotions come in mirrored pairs. Both members of a pair visit the same facial configurations, in
opposite order, so that no single frame (and no unordered set of frames) tells them apart: a model has to see the order
of events. The emotions that only some datasets have repeat or hold a movement of their own.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

EMOTIONS = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
ALL_EMOTIONS = (*EMOTIONS, "contempt", "anxiety", "helplessness", "disappointment", "other", "calm")
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


def _contempt(moments: np.ndarray) -> np.ndarray:
    """A thin smile under narrowed eyes that is held."""
    level = np.interp(moments, [0.0, 0.2, 0.8, 1.0], [0.0, 1.0, 1.0, 0.0])
    return _offsets(
        moments, brow_raise=0.6 * level, eye_open=-0.35 * level, mouth_curve=0.5 * level, nose_wrinkle=0.4 * level
    )


def _anxiety(moments: np.ndarray) -> np.ndarray:
    """Three short frights with wide eyes."""
    level = np.sum([_pulse(moments, start, start + 0.15, start + 0.3) for start in (0.05, 0.35, 0.65)], axis=0)
    return _offsets(moments, brow_frown=-0.8 * level, eye_open=0.45 * level, mouth_curve=-0.4 * level)


def _helplessness(moments: np.ndarray) -> np.ndarray:
    """Eyes that close and a mouth that falls open, slowly, and stays so."""
    level = np.interp(moments, [0.0, 0.6, 0.9, 1.0], [0.0, 1.0, 1.0, 0.0])
    return _offsets(moments, brow_frown=-0.9 * level, eye_open=-0.4 * level, mouth_open=0.6 * level)


def _disappointment(moments: np.ndarray) -> np.ndarray:
    """Raised brows and a hopeful smile, then corners of the mouth that drop below lowered brows."""
    hope, loss = _pulse(moments, 0.0, 0.15, 0.35), _pulse(moments, 0.25, 0.5, 1.0)
    return _offsets(moments, brow_raise=0.9 * hope - 0.5 * loss, mouth_curve=0.5 * hope - loss)


def _other(moments: np.ndarray) -> np.ndarray:
    """Two wide yawns."""
    level = np.sum([_pulse(moments, start, start + 0.22, start + 0.44) for start in (0.04, 0.52)], axis=0)
    return _offsets(moments, eye_open=-0.4 * level, mouth_open=level)


def _calm(moments: np.ndarray) -> np.ndarray:
    """Lids that sink a little and a faint smile, which come and go slowly."""
    level = np.interp(moments, [0.0, 0.35, 0.65, 1.0], [0.0, 1.0, 1.0, 0.0])
    return _offsets(moments, brow_raise=0.25 * level, eye_open=-0.2 * level, mouth_curve=0.35 * level)


_MOVEMENTS = {
    "happy": _happy,
    "angry": _angry,
    "surprise": _surprise,
    "contempt": _contempt,
    "anxiety": _anxiety,
    "helplessness": _helplessness,
    "disappointment": _disappointment,
    "other": _other,
    "calm": _calm,
}

# When a picture is taken: the moment at which an emotion looks most like itself.
_APEX = {"happy": 0.8, "sad": 0.8, "angry": 0.25, "surprise": 0.18, "disgust": 0.25, "fear": 0.82, "contempt": 0.5}


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


def hold(mixture: Mapping[str, float], rng: np.random.Generator) -> np.ndarray:
    """One person's face at the height of a mixture of the emotions in pictures (the basic ones and contempt).

    Returns (1, 6) parameters within `LOWEST`..`HIGHEST`, one frame of a performance.
    """
    movement = sum(weight * _apex(emotion) for emotion, weight in mixture.items())
    face = REST + rng.uniform(0.85, 1.1) * movement + rng.normal(0.0, 0.04, size=(1, len(PARAMETERS)))
    return np.clip(face, LOWEST, HIGHEST)


def _apex(emotion: str) -> np.ndarray:
    moment = np.array([_APEX.get(emotion, 0.5)])
    look = trajectory(emotion, moment)
    if emotion == "fear":
        # In a clip only the order of events tells it from surprise; in a picture there is no order.
        look = 0.6 * look + _offsets(moment, brow_frown=np.array([-0.9]), mouth_curve=np.array([-0.7]))
    return look
