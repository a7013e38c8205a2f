"""What is scored: a clip under its own id, or each labelled frame of a video that is labelled frame by frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmark.datasets.votes import vote_shares
from benchmark.errors import IntegrityError
from benchmark.protocol import Protocol
from benchmark.protocol.blends import blend_names
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


def true_answers(clips: Iterable[Clip], protocol: Protocol) -> dict[str, str]:
    """The protocol's true answer for everything in `clips` that is scored, by its id: the label, or the blend.

    Raises IntegrityError for a clip whose shares are no blend of the protocol's classes.
    """
    if protocol.answers is None:
        return scored_labels(clips)
    known = set(protocol.answer_names)
    return {clip.id: _blend(clip, protocol.classes, known) for clip in clips}


def _blend(clip: Clip, classes: Sequence[str], known: set[str]) -> str:
    shares = dict(zip(classes, vote_shares(clip, classes) or [], strict=False))
    there = [name for name, share in shares.items() if share > 0]
    name = "+".join(there)
    if len(there) == 2 and shares[there[0]] != shares[there[1]]:
        name = ">".join(sorted(there, key=shares.__getitem__, reverse=True))
    if name not in known:
        raise IntegrityError(
            f"clip {clip.id}: shows {name.replace('+', ' and ') or 'none of the classes'}, which is no answer of "
            f"{len(blend_names(classes))}: one of {', '.join(classes)}, or two that can be blended"
        )
    return name


def scored_clusters(clips: Iterable[Clip], attribute: str) -> dict[str, str]:
    """The cluster of everything in `clips` that is scored, by its id: the clip's `attribute`, or its own id."""
    return {name: clip.attributes.get(attribute, clip.id) for clip in clips for name in scored_labels([clip])}


def scored_ids(clips: Iterable[Clip]) -> list[str]:
    """The ids of what `scored_labels` holds; a clip that is listed twice is there twice."""
    return [name for clip in clips for name in scored_labels([clip])]
