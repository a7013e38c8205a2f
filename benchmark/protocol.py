"""Protocols: versioned YAML that fixes data, split, classes, selection and scores; read, validated and hashed here."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from benchmark.errors import UsageError
from benchmark.files import hash_value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ValidationSplit(_Strict):
    """How val is cut out of an official part."""

    source: str = Field(alias="from")
    fraction: float = Field(gt=0, lt=1)
    rule: Literal["sha256-stratified"]


class SplitRule(_Strict):
    """Which official part becomes train, val and test."""

    train: str
    val: ValidationSplit
    test: str


class FramePolicy(_Strict):
    """Where frames come from and what happens to difficult clips.

    order: `temporal` is the data as it is; `shuffled` and `single` (the middle frame, repeated) are controls that show
        whether a model uses motion.
    unreadable: `fail` stops the unit, naming the clip; `drop-train` leaves such clips out of training and lists them
        in the record (test and validation clips are never dropped).
    """

    source: str
    order: Literal["temporal", "shuffled", "single"]
    short: Literal["repeat-last"]
    unreadable: Literal["fail", "drop-train"]


class Selection(_Strict):
    """How the checkpoint that is reported is chosen; only `val` is ranked.

    `last` takes the last epoch. `test-oracle` takes the epoch with the best test score, which no honest result may do:
    it is kept to show how optimistic that habit is.
    """

    policy: Literal["val", "last"]
    metric: str
    ties: Literal["earliest"]


class Grouping(_Strict):
    """A partition of classes into coarser groups, for example three emotions."""

    name: str
    title: str
    groups: dict[str, list[str]]


class Protocol(_Strict):
    """One fixed way of evaluating. `classes` is the index order of every prediction made under it."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    version: int = Field(ge=1)
    title: str
    citation: str
    dataset: str
    classes: tuple[str, ...] = Field(min_length=2)
    folds: tuple[int, ...] = Field(min_length=1)
    split: SplitRule
    frames: FramePolicy
    selection: Selection
    metrics: tuple[str, ...] = Field(min_length=1)
    ranking: str
    aggregate: Literal["mean-of-folds"]
    groupings: tuple[Grouping, ...] = ()

    @field_validator("classes", "folds", "metrics")
    @classmethod
    def _no_repeats(cls, values: tuple) -> tuple:
        repeated = sorted({str(v) for v in values if values.count(v) > 1})
        if repeated:
            raise ValueError(f"named twice: {', '.join(repeated)}")
        return values

    @model_validator(mode="after")
    def _consistent(self) -> Protocol:
        if self.ranking not in self.metrics:
            raise ValueError(f"ranking: '{self.ranking}' is not one of metrics {list(self.metrics)}")
        if self.selection.metric not in self.metrics:
            raise ValueError(f"selection.metric: '{self.selection.metric}' is not one of metrics {list(self.metrics)}")
        for grouping in self.groupings:
            grouped = [name for names in grouping.groups.values() for name in names]
            if sorted(grouped) != sorted(self.classes):
                raise ValueError(f"groupings: '{grouping.name}' must hold each of {list(self.classes)} exactly once")
        return self

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical form; two protocols with the same hash are the same protocol."""
        return hash_value(self.canonical())

    def canonical(self) -> dict[str, Any]:
        """The protocol as a plain JSON value, with groupings resolved."""
        return self.model_dump(mode="json", by_alias=True)

    def override(self, changes: dict[str, Any]) -> Protocol:
        """A copy with dotted keys replaced, for example `{"frames.source": "original"}`; never official."""
        value = copy.deepcopy(self.canonical())
        for key, new in changes.items():
            *parents, last = key.split(".")
            target = value
            for parent in parents:
                target = target.get(parent, {}) if isinstance(target, dict) else {}
            if not isinstance(target, dict) or last not in target:
                raise UsageError(f"protocol {self.name} has no key '{key}'; `benchmark show {self.name}` lists them")
            target[last] = new
        return _validated(value, f"protocol {self.name} with --set")


def load_protocol(path: Path) -> Protocol:
    """Read one protocol file; every error names the file, the key and what is expected there."""
    value = _read_mapping(path)
    names = value.get("groupings", [])
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        value["groupings"] = [_load_grouping(path, name) for name in names]
    protocol = _validated(value, str(path))
    if protocol.name != path.stem:
        raise UsageError(f"{path}: name: '{protocol.name}' must equal the file's name '{path.stem}'")
    return protocol


def _load_grouping(protocol_path: Path, name: str) -> dict[str, Any]:
    """A grouping lies in `groupings/` beside the protocol, or among the built-in ones."""
    import benchmark.protocols

    folders = [
        protocol_path.parent / "groupings",
        Path(next(iter(benchmark.protocols.__path__))) / "groupings",
    ]
    for folder in folders:
        if (folder / f"{name}.yaml").is_file():
            return _read_mapping(folder / f"{name}.yaml")
    raise UsageError(f"{protocol_path}: groupings: no '{name}.yaml' in {' or '.join(map(str, folders))}")


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: is not valid YAML: {error}") from error
    if not isinstance(value, dict):
        raise UsageError(f"{path}: must be a mapping of keys to values")
    return value


def _validated(value: dict[str, Any], where: str) -> Protocol:
    try:
        return Protocol.model_validate(value)
    except ValidationError as error:
        problems = []
        for problem in error.errors():
            key = ".".join(str(part) for part in problem["loc"])
            known = (
                f" (known keys: {', '.join(_known_keys(problem['loc']))})"
                if problem["type"] == "extra_forbidden"
                else ""
            )
            problems.append(f"{where}: {key + ': ' if key else ''}{problem['msg']}{known}")
        raise UsageError("\n".join(problems)) from error


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Protocol
    for part in location[:-1]:
        field = next((f for n, f in model.model_fields.items() if part in (n, f.alias)), None)
        if field is None or not isinstance(field.annotation, type) or not issubclass(field.annotation, BaseModel):
            break
        model = field.annotation
    return [field.alias or name for name, field in model.model_fields.items()]
