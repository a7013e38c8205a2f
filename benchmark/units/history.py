"""What weights have been through: every training behind them, as a file of weights and a record say it."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from benchmark.registry import registry
from benchmark.scoring.scores import FileModel

VERSION: Literal[1] = 1
# Bytes of a hashed id: of a hundred thousand clips, two meet by chance in one of fifty thousand cases.
BYTES = 6
# More ids than this are not written down: then nothing is known of the clips but their dataset.
MOST_IDS = 200_000


def _hashed(text: str) -> str:
    try:
        whole = len(base64.b64decode(text, validate=True)) % BYTES == 0
    except (binascii.Error, ValueError):
        whole = False
    if not whole:
        raise ValueError("is not a list of hashed ids")
    return text


class Training(FileModel):
    """One training.

    kind: a unit's, a pre-training, or `unknown`: a file that does not say how it came to be.
    method: whose model it was. stage: which of its pre-trainings. protocol, protocol_hash, fold: of a unit.
    datasets: whose videos or images were learned from, as `videos_of` names them; empty where they are of none that is
        known here. clips: the ids of those, and of the clips that the epoch was selected on, as `hash_clips` gives
        them; empty if they are not known.
    """

    kind: Literal["unit", "pre-training", "unknown"]
    method: Annotated[str, Field(max_length=200)] = ""
    stage: Annotated[str, Field(max_length=200)] = ""
    protocol: Annotated[str, Field(max_length=200)] = ""
    protocol_hash: Annotated[str, Field(max_length=64)] = ""
    fold: int | None = None
    datasets: Annotated[tuple[Annotated[str, Field(max_length=200)], ...], Field(max_length=100)] = ()
    clips: Annotated[str, AfterValidator(_hashed)] = ""

    @property
    def title(self) -> str:
        """What it was, in words."""
        if self.kind == "unit":
            return f"trained under {self.protocol}, fold {self.fold}"
        on = f" on {' and '.join(self.datasets)}" if self.datasets else ""
        return f"pre-trained{on} ({self.stage})" if self.kind == "pre-training" else f"trained{on}, nobody knows how"


class InitialWeights(FileModel):
    """What started from a file: its SHA-256, whose weights it holds, and what they have been through.

    method, network: empty for a file that does not say. filled: the method's networks that took something from it.
    classifier: whether a classifier that had learned these classes was kept.
    """

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    method: Annotated[str, Field(max_length=200)] = ""
    network: Annotated[str, Field(max_length=200)] = ""
    filled: Annotated[tuple[Annotated[str, Field(max_length=200)], ...], Field(max_length=100)] = ()
    classifier: bool
    history: Annotated[tuple[Training, ...], Field(max_length=1000)]


class _History(FileModel):
    version: Literal[1] = VERSION
    trainings: tuple[Training, ...]


def history_text(history: Sequence[Training]) -> str:
    """A history as a weight file holds it."""
    return _History(trainings=tuple(history)).model_dump_json(exclude_defaults=True)


def read_history(text: str) -> tuple[Training, ...]:
    """The history in a weight file's text; empty for one that is not known here."""
    try:
        return TypeAdapter(_History).validate_json(text).trainings
    except ValidationError:
        return ()


def videos_of(dataset: str) -> str:
    """The dataset whose videos a dataset has: itself, unless its layout says that it labels another's anew."""
    layout = registry().datasets.get(dataset)
    return (layout.videos_of or dataset) if layout else dataset


def hash_clips(ids: Iterable[str]) -> str:
    """Ids of clips as base64 of the first bytes of their SHA-256, in order; empty if there are too many."""
    hashes = {_hash(clip_id) for clip_id in ids}
    return base64.b64encode(b"".join(sorted(hashes))).decode() if len(hashes) <= MOST_IDS else ""


def shared_clips(clips: str, ids: Iterable[str]) -> int:
    """How many of `ids` are among `clips`, which `hash_clips` gave."""
    packed = base64.b64decode(clips)
    known = {packed[start : start + BYTES] for start in range(0, len(packed), BYTES)}
    return sum(_hash(clip_id) in known for clip_id in set(ids))


def _hash(clip_id: str) -> bytes:
    return hashlib.sha256(clip_id.encode()).digest()[:BYTES]
