"""What `benchmark pretrain` trains: a frozen value with an identity, what it learns from, and its state on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from benchmark.errors import IntegrityError, UsageError
from benchmark.files import hash_file, hash_value, write_text
from benchmark.locks import exclusive
from benchmark.registry import unknown_name
from benchmark.specs import MethodSpec, Pretraining
from benchmark.units.computing import Computing, computing_before
from benchmark.units.identity import Changed, Trainable, set_aside
from benchmark.units.samples import Sample
from benchmark.units.state_file import WorkState, stored

STATE, WEIGHTS, ROWS = "pretraining.json", "weights.safetensors", "clips.json"


@dataclass(frozen=True)
class Source:
    """What is learned from: the samples that `ClipDataset` reads, relative to `root`.

    classes: emotion names, in the order of the samples' `target`; empty where nothing is labelled.
    datasets: those whose clips are known to be among the samples, as `videos_of` names them. ids: of the samples'
    clips in the only one of these, in order; empty if they are not all known.
    crops: the hash of the recipe by which their faces were cropped here; empty if they were not.
    lists: annotation files of the datasets that it is, holds or lies in. left_out: how many images are of other
    classes.
    """

    name: str
    root: Path
    samples: tuple[Sample, ...]
    classes: tuple[str, ...]
    synthetic: bool
    lists: tuple[Path, ...] = ()
    left_out: int = 0
    datasets: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    crops: str = ""

    @property
    def fingerprint(self) -> str:
        """Hash of the samples and, where there are some, of their crops."""
        return hash_value([list(self.samples), self.crops] if self.crops else list(self.samples))


class PretrainingUnit(Trainable):
    """All that determines the result of a pre-training. `data` is the fingerprint of its samples.

    `decoder` is what decodes them, with its version; `init` holds the SHA-256 of each network's initial weights.
    """

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
    overrides: dict[str, Any] = Field(default_factory=dict)
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


class PretrainingState(WorkState[PretrainingUnit]):
    """`pretraining.json`: how far it is, how it is computed, and at the end the SHA-256 of its weights."""

    epoch: int = 0
    attempts: int = 0
    seconds: float = 0.0
    device: str = ""
    computing: Computing = Computing()
    weights: str | None = None

    _before = model_validator(mode="before")(computing_before)


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


def read_state(folder: Path, unit: PretrainingUnit) -> PretrainingState:
    """The state written in `folder`, or a new one; a folder that holds another pre-training is refused."""
    state = stored(folder / STATE, PretrainingState, "pre-training")
    if state is None:
        return PretrainingState(identity=unit.identity, unit=unit)
    state.check_same(unit, folder, "pre-training")
    return state


def settle(folder: Path, unit: PretrainingUnit, changed: Changed) -> None:
    """Deal with what another recipe or code made: see `Changed`; what is not to be kept or set aside is refused."""
    state = None if changed == "refuse" else stored(folder / STATE, PretrainingState, "pre-training")
    if state is None or state.identity == unit.identity:
        return
    if changed == "again":
        with exclusive(folder):
            set_aside(folder, state.identity)
    elif is_done(folder, state) and state.can_be_kept_as(unit):
        save_state(folder, state.kept_as(unit))


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
