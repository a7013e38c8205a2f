"""Emotion names: one spelling for each, whatever a dataset calls it. Indices come only from a protocol's class list."""

from __future__ import annotations

import difflib

# Canonical name: the other spellings that the datasets of the field use.
ALIASES = {
    "happy": ("happiness", "joy"),
    "sad": ("sadness",),
    "neutral": ("neutrality",),
    "angry": ("anger",),
    "surprise": ("surprised",),
    "disgust": ("disgusted",),
    "fear": ("fearful",),
    "contempt": (),
    "anxiety": ("anxious",),
    "helplessness": ("helpless",),
    "disappointment": ("disappointed",),
    "calm": ("calmness",),
    "other": ("others",),
}
EMOTIONS = tuple(ALIASES)
_CANONICAL = {alias: name for name, aliases in ALIASES.items() for alias in (name, *aliases)}


def canonical(name: str) -> str:
    """The one spelling of an emotion's name: `Happiness` is `happy`, the compound `anger_disgust` is `angry_disgust`.

    A name that is not in the table stays what it is, in lower case: a dataset may have classes of its own.
    """
    return "_".join(_CANONICAL.get(part, part) for part in name.strip().lower().split("_"))


def meant(name: str) -> str | None:
    """The known emotion that a name, not known itself, is most likely a slip of: `happpy` is `happy`."""
    if not name.replace("_", "").isalpha() or all(part in EMOTIONS for part in name.split("_")):
        return None
    near = difflib.get_close_matches(name, _CANONICAL, n=1, cutoff=0.85)
    return _CANONICAL[near[0]] if near else None
