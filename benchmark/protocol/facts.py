"""What is known of a protocol's official lists: how many clips each split has, of which classes, and their ids' hash.

No id and no label of a clip is in a facts file: it was computed from the official lists, and may be published.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from benchmark.protocol.model import Protocol
from benchmark.shipped import shipped

FOLDER = shipped("protocols") / "facts"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SplitFacts(_Strict):
    """One split: its number of clips, that of each class, and `hash_ids` of its ids."""

    clips: int = Field(ge=1)
    per_class: dict[str, int]
    sha256: str


class FoldFacts(_Strict):
    """The three splits of a fold."""

    fold: int
    train: SplitFacts
    val: SplitFacts
    test: SplitFacts


class _File(_Strict):
    protocol: str
    hash: str
    folds: tuple[FoldFacts, ...]


def known_facts(protocol: Protocol) -> dict[int, Mapping[str, SplitFacts]]:
    """For each fold the splits of which the official lists are known, by name; empty where none are.

    A protocol that differs in anything from the one that the facts were computed under has none. Of a cross-dataset
    protocol, train and val are those of the protocol that its models are trained under.
    """
    if protocol.train_on is not None:
        trained = known_facts(protocol.train_on)
        return {fold: {name: splits[name] for name in ("train", "val")} for fold, splits in trained.items()}
    found = _read(FOLDER / f"{protocol.name}.json")
    if found is None or found.hash != protocol.hash:
        return {}
    return {each.fold: {"train": each.train, "val": each.val, "test": each.test} for each in found.folds}


@functools.cache
def _read(path: Path) -> _File | None:
    return _File.model_validate_json(path.read_text(encoding="utf-8")) if path.is_file() else None
