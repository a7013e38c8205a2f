"""Reading protocol files: names of groupings, label maps and other protocols become what they stand for."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from benchmark.emotions import canonical
from benchmark.errors import IntegrityError, UsageError
from benchmark.plain_yaml import read_yaml
from benchmark.protocol.model import TAKEN_OVER, Protocol
from benchmark.shipped import shipped
from benchmark.validation import problems_of

# Tags of the model's unions, which are not keys of the file.
_TAGS = ("part", "rule")


def load_protocol(path: Path) -> Protocol:
    """Read one protocol file; every error names the file, the key and what is expected there.

    `groupings`, `train_on` and `test_on.labels` name files that lie beside it or among the built-in ones.
    """
    value = read_mapping(path)
    _resolve_training(path, value)
    if isinstance(value.get("test_on"), dict) and isinstance(value["test_on"].get("labels"), str):
        value["test_on"]["labels"] = read_mapping(_find(path, "maps", value["test_on"]["labels"]))
    names = value.get("groupings", [])
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        files = [_find(path, "groupings", name) for name in names]
        value["groupings"] = [read_grouping(file, value.get("classes")) for file in files]
    protocol = validated(value, str(path))
    if protocol.name != path.stem:
        raise UsageError(f"{path}: name: '{protocol.name}' must equal the file's name '{path.stem}'")
    return protocol


def override(protocol: Protocol, changes: dict[str, Any]) -> Protocol:
    """A copy with dotted keys replaced, for example `{"frames.source": "original"}`; never official."""
    value = copy.deepcopy(protocol.canonical())
    for key, new in changes.items():
        _replace(value, key, new, protocol.name)
    for key, new in taken_over(changes).items():
        if "train_on" in value:
            _replace(value["train_on"], key, new, protocol.name)
    return validated(value, f"protocol {protocol.name} with --set")


def taken_over(changes: dict[str, Any]) -> dict[str, Any]:
    """Those changes that also change the protocol which a cross-dataset one trains under."""
    return {key: value for key, value in changes.items() if key.split(".")[0] in TAKEN_OVER}


def validated(value: dict[str, Any], where: str) -> Protocol:
    """The protocol that a plain value describes; UsageError with one line per problem, each beginning with `where`."""
    try:
        return Protocol.model_validate(value)
    except ValidationError as error:
        raise UsageError("\n".join(problems_of(error, where, Protocol, _TAGS))) from error


def _resolve_training(path: Path, value: dict[str, Any]) -> None:
    """Take over what a cross-dataset protocol shares with the one that its models are trained under."""
    if not isinstance(value.get("train_on"), str):
        return
    try:
        source = load_protocol(_find(path, ".", value["train_on"])).canonical()
    except RecursionError:
        raise UsageError(f"{path}: train_on: '{value['train_on']}' leads back to this protocol") from None
    stated = [key for key in TAKEN_OVER if key in value]
    if stated:
        raise UsageError(f"{path}: {stated[0]}: comes from train_on ({source['name']}); leave it out")
    taken = (*TAKEN_OVER, "metrics", "ranking", "aggregate", "groupings")
    for key in taken:
        if key in source:
            value.setdefault(key, copy.deepcopy(source[key]))
    value["train_on"] = source


def read_grouping(path: Path, classes: Any) -> dict[str, Any]:
    """A grouping's file, without the emotions that are not in `classes`: one file serves every class list."""
    grouping = read_mapping(path)
    if isinstance(grouping.get("groups"), dict) and isinstance(classes, list | tuple):
        kept = {canonical(str(name)) for name in classes}
        members = {
            group: [name for name in names if canonical(str(name)) in kept]
            for group, names in grouping["groups"].items()
            if isinstance(names, list)
        }
        grouping["groups"] = {group: names for group, names in members.items() if names}
    return grouping


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; UsageError says what is wrong with the file."""
    try:
        value = read_yaml(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except IntegrityError as error:
        raise UsageError(str(error)) from error
    if not isinstance(value, dict):
        raise UsageError(f"{path}: must be a mapping of keys to values")
    return value


def _find(path: Path, folder: str, name: str) -> Path:
    """The file `name`.yaml in `folder` beside the protocol at `path`, or among the built-in ones."""
    places = [path.parent / folder, shipped("protocols") / folder]
    for place in places:
        if (place / f"{name}.yaml").is_file():
            return place / f"{name}.yaml"
    raise UsageError(f"{path}: no '{name}.yaml' in {' or '.join(str(place.resolve()) for place in places)}")


def _replace(value: dict[str, Any], key: str, new: Any, name: str) -> None:
    *parents, last = key.split(".")
    target: Any = value
    for parent in parents:
        target = target.get(parent, {}) if isinstance(target, dict) else {}
    if not isinstance(target, dict) or last not in target:
        raise UsageError(f"protocol {name} has no key '{key}'; `benchmark show {name}` lists them")
    target[last] = new
