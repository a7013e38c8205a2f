"""What a setting from a command line or a file may change: values of the model and its training, never what runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from benchmark.errors import UsageError

_NAME = re.compile(r"\w+")
# Under these keys MMEngine looks for a class by its name, and would import and call whatever a path names.
TYPES = ("type", "constructor")
# What decides which code and which files are read is not a setting of a model: (key, what to do instead).
_NOT_SETTINGS = {
    "custom_imports": "code comes with a plugin",
    "default_scope": "code comes with a plugin",
    "env_cfg": "it belongs to the machine",
    **dict.fromkeys(("pretrained", "checkpoint", "load_from", "init_cfg"), "weights come with --init"),
    **dict.fromkeys(("ann_file", "data_root", "data_prefix", "cache"), "data come with --data-root"),
    **dict.fromkeys(("worker_init_fn", "collate_fn", "file_client_args", "backend_args"), "code comes with a plugin"),
}


def check_setting(option: str, key: str, value: Any) -> None:
    """UsageError, beginning with `option`, for a value that would choose code or files."""
    parts = key.split(".")
    for part in parts:
        _check_key(f"{option} {key}", part)
    for name, inside in ((parts[-1], value), *_entries(value)):
        _check_key(f"{option} {key}", name)
        if name in TYPES and isinstance(inside, str) and not _NAME.fullmatch(inside):
            raise UsageError(
                f"{option} {key}: '{inside[:80]}' cannot be a {name}: it must be the name of a registered class, not a "
                "path to import"
            )


def types_in(key: str, value: Any) -> Iterator[str]:
    """The names of classes that a setting gives."""
    for name, inside in ((key.rpartition(".")[2], value), *_entries(value)):
        if name in TYPES and isinstance(inside, str):
            yield inside


def _check_key(where: str, name: str) -> None:
    if name in _NOT_SETTINGS:
        raise UsageError(f"{where}: '{name}' cannot be set: {_NOT_SETTINGS[name]}")
    if name.startswith("_"):
        raise UsageError(f"{where}: '{name}' is no setting; those that begin with _ are MMEngine's own")


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, however deep."""
    if isinstance(value, dict):
        for key, inside in value.items():
            yield str(key), inside
            yield from _entries(inside)
    elif isinstance(value, list | tuple):
        for inside in value:
            yield from _entries(inside)
