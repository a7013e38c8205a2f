"""Whether a spec's values are of the types that its dataclass states, with the rules that `Annotated` adds to them."""

from __future__ import annotations

import dataclasses
import functools
import math
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints


@dataclasses.dataclass(frozen=True)
class Rule:
    """What a value must fulfil beyond its type. text: continues the words "must"."""

    text: str
    holds: Callable[[Any], bool]


def fault_of(spec: Any) -> str | None:
    """The first value of a dataclass that is not what it must be, by the path to it; None if there is none."""
    kind: Any = type(spec)
    for name, hint in _hints(kind).items():
        fault = _fault(getattr(spec, name), hint, name)
        if fault:
            return fault
    return None


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _fault(value: Any, hint: Any, where: str) -> str | None:
    origin, parts = get_origin(hint), get_args(hint)
    if hint is Any:
        return None
    if origin is Annotated:
        fault = _fault(value, parts[0], where)
        broken = (rule for rule in parts[1:] if isinstance(rule, Rule) and not fault and not rule.holds(value))
        return fault or next((f"{where}: must {rule.text}, not {_shown(value)}" for rule in broken), None)
    if origin is Literal:
        listed = ", ".join(map(repr, parts))
        known = any(value == part and type(value) is type(part) for part in parts)
        return None if known else f"{where}: must be one of {listed}, not {_shown(value)}"
    if origin in (Union, types.UnionType):
        faults = [_fault(value, part, where) for part in parts]
        return None if None in faults else f"{where}: must be {_called(hint)}, not {_shown(value)}"
    expected = origin or hint
    if not _is(value, expected):
        return f"{where}: must be {_called(hint)}, not {_shown(value)}"
    return _fault_inside(value, expected, parts, where)


def _fault_inside(value: Any, expected: Any, parts: tuple[Any, ...], where: str) -> str | None:
    if dataclasses.is_dataclass(value):
        fault = fault_of(value)
        return f"{where}.{fault}" if fault else None
    if isinstance(value, Mapping) and parts:
        for key, item in value.items():
            fault = _fault(key, parts[0], f"{where}: a key") or _fault(item, parts[1], f"{where}.{key}")
            if fault:
                return fault
        return None
    if expected is tuple and parts and parts[-1] is not Ellipsis:
        if len(value) != len(parts):
            return f"{where}: must have {len(parts)} values, not {len(value)}"
        pairs = list(zip(value, parts, strict=True))
    elif expected in (tuple, list, frozenset) and parts:
        pairs = [(item, parts[0]) for item in value]
    else:
        return None
    faults = (_fault(item, part, f"{where}[{number}]") for number, (item, part) in enumerate(pairs))
    return next(filter(None, faults), None)


def _is(value: Any, expected: Any) -> bool:
    """Exactly of the type, because a subclass can do anything whenever it is looked at; a whole number is a float."""
    if expected is float:
        return type(value) in (int, float) and math.isfinite(value)
    if expected is Mapping:
        return type(value) in (dict, types.MappingProxyType)
    if expected is Path:
        return isinstance(value, Path)
    if expected is None or expected is type(None):
        return value is None
    return type(value) is expected


_WORDS = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    Mapping: "a dict",
    dict: "a dict",
}


def _called(hint: Any) -> str:
    """A type in plain words."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _called(parts[0])
    if origin in (Union, types.UnionType):
        return " or ".join(map(_called, parts))
    if hint is None or hint is type(None):
        return "None"
    expected = origin or hint
    return _WORDS.get(expected) or f"a {expected.__name__}"


def _shown(value: Any) -> str:
    """The type's name, and small values themselves."""
    plain = type(value) in (str, int, float, bool) or value is None
    empty = type(value) in (tuple, list, dict) and not value
    return f"{value!r:.60}" if plain or empty else f"a {type(value).__name__}"
