"""What a setting from a command line or a file may be, refused before anything runs.

It changes values of the model and its training, never what runs; and it is of the type of what it replaces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from benchmark.errors import UsageError

_NAME = re.compile(r"\w+")
# Under these keys MMEngine looks for a class by its name, and would import and call whatever a path names.
TYPES = ("type", "constructor")
# What decides which code and which files are read is not a setting of a model: (key, what to do instead).
_NOT_SETTINGS = {
    **dict.fromkeys(("custom_imports", "module"), "code comes with a plugin"),
    "default_scope": "code comes with a plugin",
    "env_cfg": "it belongs to the machine",
    **dict.fromkeys(("pretrained", "checkpoint", "load_from", "init_cfg"), "weights come with --init"),
    **dict.fromkeys(("ann_file", "data_root", "data_prefix", "cache"), "data come with --data-root"),
    **dict.fromkeys(("worker_init_fn", "collate_fn", "file_client_args", "backend_args"), "code comes with a plugin"),
}
# Rates and factors, which a recipe may happen to state as whole numbers.
_CONTINUOUS = ("optim_wrapper.", "param_scheduler.")


def check_allowed(option: str, key: str, value: Any) -> None:
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


def check_setting(key: str, old: Any, new: Any) -> None:
    """UsageError unless `new` may replace `old`.

    A whole number may become a fraction only where it is a rate, or where it is 0 or 1, which may be a weight. A part
    of a recipe, or a list or a text, may be switched off with `null`.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        if "type" in old and "type" not in new:
            raise UsageError(f"--set {key}: must say its type, as {old['type']} in what it replaces")
        for name in old.keys() & new.keys():
            check_setting(f"{key}.{name}", old[name], new[name])
    elif isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)):
        kinds = {type(item) for item in old}
        for number, item in enumerate(new if len(kinds) == 1 else ()):
            check_setting(f"{key}.{number}", old[0], item)
    elif not _fits(key, old, new):
        raise UsageError(f"--set {key}={_shown(new)}: must be {_wanted(key, old)}, not {_shown(new)}{_hint(new)}")


def types_in(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every class that a setting names, at any depth, by its key."""
    if key.rpartition(".")[2] in TYPES:
        yield key, value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from types_in(f"{key}.{name}", item)
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from types_in(f"{key}.{number}", item)


def _fits(key: str, old: Any, new: Any) -> bool:
    if new is None:
        return isinstance(old, (Mapping, list, tuple, str))
    if isinstance(old, bool) or isinstance(new, bool):
        return isinstance(old, bool) and isinstance(new, bool)
    if isinstance(old, int) and not _may_be_a_fraction(key, old):
        return isinstance(new, int)
    if isinstance(old, (int, float)):
        return isinstance(new, (int, float))
    if isinstance(old, str):
        return isinstance(new, str)
    return not isinstance(old, (Mapping, list, tuple))


def _may_be_a_fraction(key: str, old: int) -> bool:
    return old in (0, 1) or key.startswith(_CONTINUOUS)


def _wanted(key: str, old: Any) -> str:
    if isinstance(old, bool):
        return "true or false"
    if isinstance(old, int) and not _may_be_a_fraction(key, old):
        return f"a whole number like {old}, which it replaces"
    if isinstance(old, (int, float)):
        return f"a number like {old}, which it replaces"
    if isinstance(old, str):
        return f"text like {old}, which it replaces"
    return "a mapping like what it replaces" if isinstance(old, Mapping) else "a list like what it replaces"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def _hint(value: Any) -> str:
    comma = isinstance(value, str) and re.fullmatch(r"[-+]?\d+,\d+", value.strip())
    return f" (write {value.strip().replace(',', '.')})" if comma else ""


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
