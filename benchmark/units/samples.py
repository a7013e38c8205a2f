"""The rows of a unit's split files: all that training and prediction are told of a clip."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from benchmark.datasets.scored import true_answers
from benchmark.datasets.splits import SPLITS, Fold, hash_ids
from benchmark.datasets.votes import vote_shares
from benchmark.datasets.windows import Window, cut, most_frequent
from benchmark.errors import IntegrityError
from benchmark.protocol import Protocol
from benchmark.specs import Clip
from benchmark.units.unit import Unit

# The split files: what is learned from, what is scored after every epoch, what the selected model is tested on.
TRAIN, WATCHED, TEST = "train", "watched", "test"

Sample = dict[str, Any]


def train_samples(clips: Sequence[Clip], unit: Unit) -> list[Sample]:
    """Each clip or window with its class index, `label`, and the class distribution to learn, `target`.

    A window also has the class indices of its labelled frames, `frame_labels`. A clip that is there several times
    carries, from its second row on, which `repeat` it is.
    """
    rows = []
    seen: Counter[str] = Counter()
    for clip, row, window in _inputs(clips, unit.protocol, "train"):
        label = most_frequent(clip.frame_labels or {}, window.frames, unit.protocol.classes) if window else clip.label
        row["label"] = unit.protocol.classes.index(label)
        if window and clip.frame_labels is not None:
            row["frame_labels"] = [unit.protocol.classes.index(clip.frame_labels[number]) for number in window.frames]
        row["target"] = _distribution(clip, label, unit)
        if seen[row["clip_id"]]:
            row["repeat"] = seen[row["clip_id"]]
        seen[row["clip_id"]] += 1
        rows.append(row)
    return rows


def watched_samples(clips: Sequence[Clip], protocol: Protocol) -> list[Sample]:
    """Each clip with its answer's index, `label`; each window with those of its labelled frames, `frame_labels`."""
    rows = []
    index, true = protocol.answer_names.index, true_answers(clips, protocol)
    for clip, row, window in _inputs(clips, protocol, protocol.watched_split or ""):
        if window and clip.frame_labels is not None:
            row["frame_labels"] = [index(clip.frame_labels[number]) for number in window.frames]
        else:
            row["label"] = index(true[clip.id])
        rows.append(row)
    return rows


def unlabelled_samples(clips: Sequence[Clip], protocol: Protocol) -> list[Sample]:
    """Each clip or window, without any label."""
    return [row for _, row, _ in _inputs(clips, protocol, "test")]


def _inputs(clips: Iterable[Clip], protocol: Protocol, split: str) -> Iterable[tuple[Clip, Sample, Window | None]]:
    """What is read at a time: clips, or the windows of videos that are labelled frame by frame."""
    source = protocol.frame_source(split)
    for clip in clips:
        if protocol.windows is None:
            yield clip, {"clip_id": clip.id, "path": clip.frames[source]}, None
            continue
        for window in cut(clip, protocol.windows):
            row = {
                "clip_id": window.id,
                "path": clip.frames[source],
                "window": [window.start, window.length],
                "frames": list(window.frames),
            }
            yield clip, row, window


def _distribution(clip: Clip, label: str, unit: Unit) -> list[float]:
    classes = unit.protocol.classes
    if unit.labels == "hard":
        return [float(name == label) for name in classes]
    shares = vote_shares(clip, classes)
    if shares is None:
        raise IntegrityError(f"clip {clip.id}: no vote for any of {list(classes)}; --labels hard does not need votes")
    return shares


def limited(fold: Fold, limit: int | None) -> Fold:
    """At most `limit` clips of each split, the same ones every time."""
    if limit is None:
        return fold
    chosen = {name: tuple(sorted(fold.split(name), key=lambda c: hash_ids([c.id]))[:limit]) for name in SPLITS}
    return Fold(fold.number, **chosen)
