"""What `benchmark pretrain` trains: a frozen value with an identity, what it learns from, and its state on disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmark.errors import IntegrityError, UsageError
from benchmark.files import hash_file, hash_value, read_text, write_text
from benchmark.planning.pretraining_sources import _root_in
from benchmark.registry import registry, unknown_name
from benchmark.specs import DatasetLayout, MethodSpec, Pretraining
from benchmark.units.samples import Sample

STATE, WEIGHTS, ROWS = "pretraining.json", "weights.safetensors", "clips.json"


@dataclass(frozen=True)
class Source:
    """What is learned from: the rows that `ClipDataset` reads, relative to `root`.

    classes: emotion names, in the order of the rows' `target`; empty where nothing is labelled.
    lists: annotation files of the datasets that it is, holds or lies in. left_out: how many images are of other
    classes.
    """

    name: str
    root: Path
    rows: tuple[Sample, ...]
    classes: tuple[str, ...]
    synthetic: bool
    lists: tuple[Path, ...] = ()
    left_out: int = 0


class PretrainingUnit(BaseModel):
    """All that determines the result of a pre-training. `data` is the fingerprint of its rows.

    `decoder` is what decodes them, with its version; `init` holds the SHA-256 of each network's initial weights.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: str
    method_version: str
    pretraining: str
    preset: str
    seed: int
    data: str
    decoder: str | None = None
    source: str
    classes: tuple[str, ...]
    synthetic: bool
    overrides: dict[str, Any] = {}
    init: dict[str, str] | None = None

    @property
    def identity(self) -> str:
        """SHA-256 of what determines the result."""
        return hash_value(self.model_dump(mode="json"))

    @property
    def folder(self) -> Path:
        """Where it lives, relative to the folder of all pre-trainings."""
        name = f"{self.method}-{self.pretraining}" + ("" if self.preset == "paper" else f"@{self.preset}")
        extra = {key: value for key, value in (("overrides", self.overrides), ("init", self.init)) if value}
        changed = f"~{hash_value(extra)[:8]}" if extra else ""
        return Path(f"{name}{changed}") / (self.source + ("-synthetic" if self.synthetic else "")) / f"seed-{self.seed}"


class PretrainingState(BaseModel):
    """`pretraining.json`: how far it is, and at the end the SHA-256 of its weights."""

    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    identity: str
    unit: PretrainingUnit
    epoch: int = 0
    attempts: int = 0
    seconds: float = 0.0
    device: str = ""
    weights: str | None = None


def find_pretraining(method: MethodSpec, name: str | None) -> tuple[str, Pretraining]:
    """The method's pre-training called `name`, or its only one."""
    known = method.pretrainings
    if not known:
        raise UsageError(f"{method.name} has no pre-training of its own")
    if name is None:
        if len(known) > 1:
            raise UsageError(f"{method.name} has several pre-trainings; choose with --stage: {', '.join(known)}")
        name = next(iter(known))
    if name not in known:
        raise UsageError(unknown_name("pre-training", name, known))
    return name, known[name]


def _datasets_around(folder: Path) -> Iterator[tuple[DatasetLayout, Path]]:
    folder = folder.resolve()
    for layout in registry().datasets.values():
        roots = {root for place in (folder, *folder.parents) if (root := _root_in(layout, place))}
        yield from ((layout, r) for r in sorted(roots) if folder.is_relative_to(r) or r.is_relative_to(folder))


def read_state(folder: Path, unit: PretrainingUnit) -> PretrainingState:
    """The state written in `folder`, or a new one; a folder that holds another pre-training is refused."""
    path = folder / STATE
    if not path.is_file():
        return PretrainingState(identity=unit.identity, unit=unit)
    try:
        state = PretrainingState.model_validate_json(read_text(path))
    except ValidationError as error:
        raise IntegrityError(f"{path}: is not a pre-training's state; delete {folder} to start again") from error
    if state.identity != unit.identity:
        mine, theirs = unit.model_dump(), state.unit.model_dump()
        changed = ", ".join(key for key in mine if mine[key] != theirs[key])
        raise IntegrityError(
            f"{folder}: holds a pre-training that differs in: {changed}; nothing was changed. "
            "Use another --output, or delete that folder to start again"
        )
    return state


def save_state(folder: Path, state: PretrainingState) -> None:
    """Write the state, whole or not at all."""
    write_text(folder / STATE, state.model_dump_json(indent=2) + "\n")


def is_done(folder: Path, state: PretrainingState) -> bool:
    """Whether the weights are there, and still the ones that were written."""
    if state.weights is None:
        return False
    path = folder / WEIGHTS
    if not path.is_file() or hash_file(path) != state.weights:
        raise IntegrityError(f"{path}: is missing or not what was trained; delete {folder} to train again")
    return True
