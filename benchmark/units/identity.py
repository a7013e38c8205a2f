"""What units and pre-trainings have in common: values whose identity follows from what computes their result."""

from __future__ import annotations

import shutil
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from benchmark.files import canonical_json
from benchmark.locks import LEASE

# What to do with finished work that an older recipe, older code or another decoder made: refuse it, start over, or keep
# it, which its record then says.
Changed = Literal["refuse", "again", "keep"]
# Where work goes that is started over.
REPLACED = "replaced"
# The fields in which work that is kept may differ.
KEEPABLE = frozenset({"recipe", "code", "method_version", "decoder"})


class Trainable(BaseModel):
    """Something that is trained, as a frozen value.

    recipe: the resolved preset, the recipe and the augmentations, as plain values. code: SHA-256 of the code behind
    them, by module; comments, docstrings and formatting do not count. Both are None where a plugin is broken.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipe: dict[str, Any] | None = None
    code: dict[str, str] | None = None

    @property
    @abstractmethod
    def identity(self) -> str:
        """SHA-256 of what determines the result."""

    def differing(self, other: Trainable) -> list[str]:
        """The fields in which two of them differ."""
        mine, theirs = self.model_dump(mode="json"), other.model_dump(mode="json")
        return [key for key in mine if canonical_json(mine[key]) != canonical_json(theirs[key])]

    def differences(self, other: Trainable) -> list[str]:
        """In words, what differs: a field, a value of the recipe, or a module."""
        found: list[str] = []
        for key in self.differing(other):
            mine, theirs = getattr(self, key), getattr(other, key)
            if key == "code":
                names = sorted({*(mine or {}), *(theirs or {})})
                found += [f"code of {name}" for name in names if (mine or {}).get(name) != (theirs or {}).get(name)]
            elif key == "recipe" and mine and theirs:
                found += [f"recipe.{place}" for place in _places(mine, theirs)]
            else:
                found.append(key)
        return found


def _places(mine: Any, theirs: Any, place: str = "") -> Iterator[str]:
    if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
        for key in sorted({*mine, *theirs}):
            yield from _places(mine.get(key), theirs.get(key), f"{place}.{key}" if place else str(key))
    elif isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs):
        for number, (one, other) in enumerate(zip(mine, theirs, strict=True)):
            yield from _places(one, other, f"{place}.{number}")
    elif mine != theirs:
        yield place


def set_aside(folder: Path, identity: str) -> None:
    """Move finished or half-finished work out of the way, to `replaced` beside the folders of its kind.

    The caller holds the folder, which is free afterwards.
    """
    place = folder.parent.parent / REPLACED / f"{folder.parent.name}-{folder.name}-{identity[:8]}"
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        shutil.rmtree(place)
    folder.rename(place)
    for lease in place.glob(f"{LEASE}*"):
        lease.unlink()


def refusal(folder: Path, kind: str, differences: list[str]) -> str:
    """What to say of a folder that holds work which differs."""
    shown = ", ".join(differences[:6]) + (f" and {len(differences) - 6} more" if len(differences) > 6 else "")
    return (
        f"{folder}: holds a {kind} that differs in: {shown or 'the version of the benchmark itself'}; nothing was "
        "changed. Add --again to start over, or --keep to keep what is finished (its record says so); or use another "
        "--output"
    )
