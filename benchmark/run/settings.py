"""`--set` on a recipe: a value must be of the type of what it replaces, and is refused before anything runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from benchmark.errors import UsageError

TYPE = "type"
# Rates and factors, which a recipe may happen to state as whole numbers.
_CONTINUOUS = ("optim_wrapper.", "param_scheduler.")


def check_setting(key: str, old: Any, new: Any) -> None:
    """UsageError unless `new` may replace `old`.

    A whole number may become a fraction only where it is a rate, or where it is 0 or 1, which may be a weight. A part
    of a recipe, or a list or a text, may be switched off with `null`.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        if TYPE in old and TYPE not in new:
            raise UsageError(f"--set {key}: must say its {TYPE}, as {old[TYPE]} in what it replaces")
        for name in old.keys() & new.keys():
            check_setting(f"{key}.{name}", old[name], new[name])
    elif isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)):
        kinds = {type(item) for item in old}
        for number, item in enumerate(new if len(kinds) == 1 else ()):
            check_setting(f"{key}.{number}", old[0], item)
    elif not _fits(key, old, new):
        raise UsageError(f"--set {key}={_shown(new)}: must be {_wanted(key, old)}, not {_shown(new)}{_hint(new)}")


def types_in(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every `type` that a setting names, at any depth, by its key."""
    if key.rpartition(".")[2] == TYPE:
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
