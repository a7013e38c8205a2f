"""Who is whom: the faces of single frames become people, who stay the same over a clip and through its cuts."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from benchmark.faces.face import Detector, Face

# Between two frames whose thumbnails differ by more than this, on average over their grey values (0 to 255), is a cut.
CUT = 24.0
THUMBNAIL = 32
# A face is the one of some frames before if their boxes share at least this much of their union.
SAME_PLACE = 0.3
# Frames for which a face may be away and still be looked for in its old place.
AWAY = 12
# Two pieces of a clip show one person if they look at least this much alike. Pieces of one recording do by 0.80 and
# more; of people in one light, in one photograph, one pair in twenty by more than 0.66, one in a hundred by 0.80.
SAME_LOOK = 0.75
# What is found in fewer frames than this, of a clip that has as many, is noise.
FEWEST = 3
# Of a box of 48x48 what is face, and nothing of what is behind it.
_OVAL = cv2.ellipse(np.zeros((48, 48), np.uint8), (24, 24), (19, 21), 0, 0, 360, 255, -1)


@dataclass
class Track:
    """One person's face, by frame: where it is, and how it looks on average.

    look: see `look_of`.
    """

    faces: dict[int, Face]
    look: np.ndarray

    @property
    def last(self) -> int:
        """The last frame in which it was found."""
        return next(reversed(self.faces))


@dataclass
class Follower:
    """Takes a clip's frames one after the other; `people` then tells who was seen.

    shots: for each frame the number of the shot that it belongs to; a cut begins a new one.
    """

    detect: Detector
    shots: list[int] = field(default_factory=list)
    _tracks: list[Track] = field(default_factory=list)
    _active: list[Track] = field(default_factory=list)
    _thumbnail: np.ndarray | None = None

    def take(self, frame: np.ndarray) -> None:
        """The next frame (H, W, 3), uint8 RGB."""
        index = len(self.shots)
        self._note_shot(frame)
        faces = self.detect(frame)
        looks = [look_of(frame, face) for face in faces]
        self._active = [track for track in self._active if index - track.last <= AWAY]
        taken = set()
        overlaps = np.array([[overlap(t.faces[t.last], face) for face in faces] for t in self._active])
        if overlaps.size:
            for row, column in zip(*linear_sum_assignment(-overlaps), strict=True):
                if overlaps[row, column] >= SAME_PLACE:
                    track = self._active[row]
                    seen = len(track.faces)
                    track.look = (track.look * seen + looks[column]) / (seen + 1)
                    track.faces[index] = faces[column]
                    taken.add(column)
        for number, face in enumerate(faces):
            if number not in taken:
                track = Track({index: face}, looks[number])
                self._tracks.append(track)
                self._active.append(track)

    def people(self) -> list[Track]:
        """The tracks, those joined that show one person: they look alike, and are never in one frame."""
        people = [track for track in self._tracks if len(track.faces) >= min(FEWEST, len(self.shots))]
        likeness = np.array([[_joinable(first, second) for second in people] for first in people])
        while likeness.size and likeness.max() >= SAME_LOOK:
            first, second = sorted(map(int, np.unravel_index(likeness.argmax(), likeness.shape)))
            people[first] = _joined(people[first], people.pop(second))
            likeness = np.delete(np.delete(likeness, second, axis=0), second, axis=1)
            row = np.array([_joinable(people[first], other) for other in people])
            likeness[first], likeness[:, first] = row, row
        return people

    def _note_shot(self, frame: np.ndarray) -> None:
        small = cv2.resize(frame, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
        thumbnail = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
        cut = self._thumbnail is not None and float(np.abs(thumbnail - self._thumbnail).mean()) > CUT
        if cut:
            # What was here says nothing of what is there now.
            self._active = []
        self.shots.append(self.shots[-1] + cut if self.shots else 0)
        self._thumbnail = thumbnail


def overlap(first: Face, second: Face) -> float:
    """Intersection over union of two boxes."""
    (ax, ay, aw, ah), (bx, by, bw, bh) = first.box, second.box
    wide = min(ax + aw, bx + bw) - max(ax, bx)
    high = min(ay + ah, by + bh) - max(ay, by)
    shared = max(wide, 0.0) * max(high, 0.0)
    return shared / (aw * ah + bw * bh - shared)


def look_of(frame: np.ndarray, face: Face) -> np.ndarray:
    """How a face looks: a histogram (2048,), summing to 1, of lightness and colour in its box's middle."""
    x, y, w, h = face.box
    top, bottom = max(int(y), 0), min(int(y + h) + 1, frame.shape[0])
    left, right = max(int(x), 0), min(int(x + w) + 1, frame.shape[1])
    if top >= bottom or left >= right:
        return np.zeros(2048)
    small = cv2.resize(frame[top:bottom, left:right], (48, 48), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    # The range of colours that faces have; others, and what is around the face, are not counted.
    counts = cv2.calcHist([lab], [0, 1, 2], _OVAL, [8, 16, 16], [0, 256, 96, 192, 96, 192]).reshape(-1)
    return counts / max(counts.sum(), 1.0)


def alike(first: np.ndarray, second: np.ndarray) -> float:
    """How much two looks have in common, from 0 to 1 (Bhattacharyya's coefficient)."""
    return float(np.sqrt(first * second).sum())


def _joinable(first: Track, second: Track) -> float:
    """How much two tracks look alike; 0 where they are in one frame, or the same."""
    return alike(first.look, second.look) if first.faces.keys().isdisjoint(second.faces) else 0.0


def _joined(first: Track, second: Track) -> Track:
    counts = len(first.faces), len(second.faces)
    look = (first.look * counts[0] + second.look * counts[1]) / sum(counts)
    return Track(dict(sorted({**first.faces, **second.faces}.items())), look)
