"""Names of types in a changed recipe: only one that is registered, for the same kind of thing, is ever built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import mmengine.registry
from mmengine.registry import Registry

from benchmark.errors import UsageError
from benchmark.registry import unknown_name
from benchmark.training.adapter import import_mmaction
from benchmark.units.setting_rules import types_in


def check_registered(config: Mapping[str, Any], overrides: Mapping[str, Any]) -> None:
    """UsageError for a `type` in `overrides` that is not registered where the one in `config` is that it replaces.

    config: before the overrides. The modules that register its types must have been imported.
    """
    import_mmaction()
    for key, value in overrides.items():
        for place, name in types_in(key, value):
            known = _names_like(_value_at(config, place))
            if not isinstance(name, str) or name not in known:
                raise UsageError(f"--set {place}: {unknown_name('type', str(name), known)}")


def _value_at(config: Any, key: str) -> Any:
    for part in key.split("."):
        if isinstance(config, (list, tuple)):
            config = config[int(part)] if part.isdigit() and int(part) < len(config) else None
        else:
            config = config.get(part) if hasattr(config, "get") else None
    return config


def _names_like(old: Any) -> set[str]:
    """All names of the registries that know `old`; of every registry if none does."""
    families = [
        set(_names(registry)) for registry in vars(mmengine.registry).values() if isinstance(registry, Registry)
    ]
    like = [names for names in families if old in names]
    return set().union(*(like or families)) - {"type"}


def _names(registry: Registry) -> Iterator[str]:
    yield from registry.module_dict
    for child in registry.children.values():
        yield from _names(child)
