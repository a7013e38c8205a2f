"""The registry: every method, augmentation, dataset, metric and protocol by name, gathered through pluggy.

A plugin that cannot be loaded is reported by name in `problems` and never stops the others. Built-ins win a name
clash, and the clash is reported too.
"""

from __future__ import annotations

import difflib
import functools
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pluggy

from benchmark import builtins, hookspecs
from benchmark.errors import UsageError
from benchmark.specs import AugmentationSpec, DatasetLayout, MethodSpec, MetricSpec

ENTRY_POINT_GROUP = "benchmark.plugins"
BUILT_IN = "built-in"


@dataclass(frozen=True)
class Plugin:
    """Where a set of specs comes from: its name, distribution and version."""

    name: str
    distribution: str
    version: str


@dataclass
class Registry:
    """Specs by kind and name, with the plugin that each came from."""

    methods: dict[str, MethodSpec] = field(default_factory=dict)
    augmentations: dict[str, AugmentationSpec] = field(default_factory=dict)
    datasets: dict[str, DatasetLayout] = field(default_factory=dict)
    metrics: dict[str, MetricSpec] = field(default_factory=dict)
    protocols: dict[str, Path] = field(default_factory=dict)
    plugins: list[Plugin] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    origin: dict[tuple[str, str], str] = field(default_factory=dict)

    def find(self, kind: str, name: str) -> Any:
        """The spec called `name` among `methods`, `protocols` ...; an unknown name suggests the nearest."""
        known = getattr(self, kind)
        if name in known:
            return known[name]
        raise UsageError(unknown_name(kind.removesuffix("s"), name, known))


def unknown_name(noun: str, name: str, known: Any) -> str:
    """A message for a name that does not exist, with the nearest one that does."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(sorted(known)) or 'none'}"
    return f"unknown {noun} '{name}'; {hint}"


_KINDS: dict[str, tuple[str, type[Any]]] = {
    "methods": ("benchmark_methods", MethodSpec),
    "augmentations": ("benchmark_augmentations", AugmentationSpec),
    "datasets": ("benchmark_datasets", DatasetLayout),
    "metrics": ("benchmark_metrics", MetricSpec),
    "protocols": ("benchmark_protocols", Path),
}


@functools.cache
def registry() -> Registry:
    """Everything installed here, loaded once."""
    return load_registry()


def load_registry() -> Registry:
    """Gather the built-ins first, then each entry point in the group `benchmark.plugins`, one by one."""
    result = Registry()
    _register(result, builtins, Plugin(BUILT_IN, "dfer-benchmark", _own_version()))
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda p: p.name):
        distribution = point.dist.name if point.dist else "unknown"
        try:
            module = point.load()
        # A plugin is foreign code: whatever it raises on import must cost only that plugin.
        except Exception as error:
            result.problems.append(_problem(point.name, distribution, "cannot be imported", error))
            continue
        _register(result, module, Plugin(point.name, distribution, point.dist.version if point.dist else "unknown"))
    return result


def _register(result: Registry, module: Any, plugin: Plugin) -> None:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(module, name=plugin.name)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        result.problems.append(_problem(plugin.name, plugin.distribution, "does not fit the hooks", error))
        return
    result.plugins.append(plugin)
    for kind, (hook, expected) in _KINDS.items():
        try:
            values = [value for values in getattr(manager.hook, hook)() for value in values]
        except Exception as error:
            result.problems.append(_problem(plugin.name, plugin.distribution, f"{hook} failed", error))
            continue
        for value in values:
            _add(result, kind, expected, value, plugin, hook)


def _add(result: Registry, kind: str, expected: type[Any], value: Any, plugin: Plugin, hook: str) -> None:
    if not isinstance(value, expected):
        result.problems.append(
            f"plugin '{plugin.name}' ({plugin.distribution}): {hook} returned {type(value).__name__}, "
            f"expected {expected.__name__}"
        )
        return
    name = value.stem if isinstance(value, Path) else value.name
    known = getattr(result, kind)
    if name in known:
        result.problems.append(
            f"plugin '{plugin.name}' ({plugin.distribution}): {kind.removesuffix('s')} '{name}' is already provided "
            f"by '{result.origin[kind, name]}', which is kept"
        )
        return
    known[name] = value
    result.origin[kind, name] = plugin.name


def _problem(name: str, distribution: str, what: str, error: Exception) -> str:
    return f"plugin '{name}' ({distribution}) {what}: {type(error).__name__}: {error}"


def _own_version() -> str:
    from benchmark import __version__

    return __version__
