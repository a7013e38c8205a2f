"""What is scored: a clip under its own id, or each labelled frame of a video that is labelled frame by frame."""

from __future__ import annotations

from collections.abc import Iterable

from benchmark.specs import Clip


def frame_id(clip_id: str, number: int) -> str:
    """The id of one frame of a video in predictions: `<clip-id>/<frame number>`, the number with five digits."""
    return f"{clip_id}/{number:05d}"


def scored_labels(clips: Iterable[Clip]) -> dict[str, str]:
    """The label of everything in `clips` that is scored, by its id; a clip that is listed twice counts once."""
    labels: dict[str, str] = {}
    for clip in clips:
        if clip.frame_labels is None:
            labels[clip.id] = clip.label
        else:
            labels.update((frame_id(clip.id, number), label) for number, label in clip.frame_labels.items())
    return labels


def scored_clusters(clips: Iterable[Clip], attribute: str) -> dict[str, str]:
    """The cluster of everything in `clips` that is scored, by its id: the clip's `attribute`, or its own id."""
    return {name: clip.attributes.get(attribute, clip.id) for clip in clips for name in scored_labels([clip])}


def scored_ids(clips: Iterable[Clip]) -> list[str]:
    """The ids of what `scored_labels` holds; a clip that is listed twice is there twice."""
    return [name for clip in clips for name in scored_labels([clip])]
