"""The people of a clip: in which frames each of them is, and where, without jumps and without short gaps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.faces.face import Face
from benchmark.faces.loading import load_detector
from benchmark.faces.recipe import CropRecipe
from benchmark.faces.tracking import Follower, Track
from benchmark.video.clip import FrameReader


@dataclass(frozen=True)
class Person:
    """Where one person's face is.

    frames: indices (N,), ascending, from 0. boxes: left, top, width and height (N, 4) in pixels, smoothed. angles: by
    how much the line through the eyes is turned, in degrees (N,); 0 where eyes are not found. found: which of the
    boxes (N,) the detector gave; the others were filled in.
    """

    frames: np.ndarray
    boxes: np.ndarray
    angles: np.ndarray
    found: np.ndarray

    @property
    def seen(self) -> int:
        """In how many frames the face was found."""
        return int(self.found.sum())


@dataclass(frozen=True)
class People:
    """Who is in a clip of `count` frames: those that the recipe takes, in its order.

    passed_over: how many more there are. best: in how many frames the face was found that was found most often, which
    may be too few to be a person.
    """

    count: int
    taken: tuple[Person, ...]
    passed_over: int
    best: int


def find_people(reader: FrameReader, recipe: CropRecipe, report: Callable[[int, int], None]) -> People:
    """Look at every frame of a clip. Raises UnreadableClip."""
    follower = Follower(load_detector(recipe.detector))
    shape = (0, 0)
    for index in range(reader.count):
        # One by one: a long video does not fit into memory.
        (frame,) = reader.read([index])
        shape = frame.shape[:2]
        follower.take(frame)
        report(index + 1, reader.count)
    tracks = follower.people()
    least = max(math.ceil(recipe.least * reader.count), 1)
    enough = [track for track in tracks if len(track.faces) >= least]
    ordered = sorted(enough, key=lambda track: _order(track, recipe, shape))
    taken = ordered if recipe.people == "all" else ordered[:1]
    return People(
        count=reader.count,
        taken=tuple(_person(track, follower.shots, recipe) for track in taken),
        passed_over=len(ordered) - len(taken),
        best=max((len(track.faces) for track in tracks), default=0),
    )


def _order(track: Track, recipe: CropRecipe, shape: tuple[int, ...]) -> tuple[float, float]:
    """A key that sorts the largest, or the most central, first; the largest is so over all frames together."""
    boxes = np.array([face.box for face in track.faces.values()])
    area = float((boxes[:, 2] * boxes[:, 3]).sum())
    away = boxes[:, :2] + boxes[:, 2:] / 2 - np.array([shape[1], shape[0]]) / 2
    distance = float(np.hypot(away[:, 0], away[:, 1]).mean())
    return (distance, -area) if recipe.people == "central" else (-area, distance)


def _person(track: Track, shots: Sequence[int], recipe: CropRecipe) -> Person:
    seen = sorted(track.faces)
    values = np.array([_values(track.faces[index]) for index in seen])
    frames, rows, found = [seen[0]], [values[0]], [True]
    for before, after, start, end in zip(seen, seen[1:], values, values[1:], strict=False):
        if after - before - 1 <= recipe.gap and shots[before] == shots[after]:
            for index in range(before + 1, after):
                share = (index - before) / (after - before)
                frames.append(index)
                rows.append((1 - share) * start + share * end)
                found.append(False)
        frames.append(after)
        rows.append(end)
        found.append(True)
    smooth = _smoothed(np.array(rows), np.array(frames), shots, recipe.smooth)
    return Person(
        frames=np.array(frames),
        boxes=np.stack(
            [
                smooth[:, 0] - smooth[:, 2] / 2,
                smooth[:, 1] - smooth[:, 3] / 2,
                smooth[:, 2],
                smooth[:, 3],
            ],
            axis=1,
        ),
        angles=np.degrees(np.arctan2(smooth[:, 5], smooth[:, 4])),
        found=np.array(found),
    )


def _values(face: Face) -> tuple[float, ...]:
    """Middle, width and height of the box, and the direction from eye to eye, which can be averaged."""
    x, y, w, h = face.box
    (left_x, left_y), (right_x, right_y) = face.eyes or ((0.0, 0.0), (1.0, 0.0))
    length = math.hypot(right_x - left_x, right_y - left_y) or 1.0
    return x + w / 2, y + h / 2, w, h, (right_x - left_x) / length, (right_y - left_y) / length


def _smoothed(rows: np.ndarray, frames: np.ndarray, shots: Sequence[int], window: int) -> np.ndarray:
    """Each row's mean over the `window` frames around it, fewer towards the ends of a run: as many on both sides."""
    breaks = [k for k in range(1, len(frames)) if frames[k] - frames[k - 1] > 1 or _cut(frames, shots, k)]
    result = np.empty_like(rows)
    for start, end in zip([0, *breaks], [*breaks, len(frames)], strict=True):
        for k in range(start, end):
            half = min(window // 2, k - start, end - 1 - k)
            result[k] = rows[k - half : k + half + 1].mean(axis=0)
    return result


def _cut(frames: np.ndarray, shots: Sequence[int], k: int) -> bool:
    return shots[int(frames[k])] != shots[int(frames[k - 1])]
