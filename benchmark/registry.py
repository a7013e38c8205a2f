"""The registry: every method, augmentation, dataset, metric, tracker and protocol by name, gathered through pluggy.

A plugin that cannot be loaded is reported by name in `problems` and never stops the others. Built-ins win a name
clash, and the clash is reported too.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal, overload

import pluggy

from benchmark import builtins, hookspecs
from benchmark.errors import BenchmarkError, UsageError
from benchmark.failures import one_line, trace_of
from benchmark.fence import PluginFault, fenced
from benchmark.spec_types import fault_of
from benchmark.specs import AugmentationSpec, DatasetLayout, MethodSpec, MetricSpec, TrackerSpec

ENTRY_POINT_GROUP = "benchmark.plugins"
BUILT_IN = "built-in"
# More of one kind than any plugin has.
MOST_SPECS = 1000


@dataclass(frozen=True)
class Plugin:
    """Where a set of specs comes from: its name, distribution and version."""

    name: str
    distribution: str
    version: str


@dataclass
class Registry:
    """Specs by kind and name, with the plugin that each came from.

    problems: what is wrong with plugins, one line each. traces: the tracebacks of those that raised something.
    """

    methods: dict[str, MethodSpec] = field(default_factory=dict)
    augmentations: dict[str, AugmentationSpec] = field(default_factory=dict)
    datasets: dict[str, DatasetLayout] = field(default_factory=dict)
    metrics: dict[str, MetricSpec] = field(default_factory=dict)
    trackers: dict[str, TrackerSpec] = field(default_factory=dict)
    protocols: dict[str, Path] = field(default_factory=dict)
    plugins: list[Plugin] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    traces: list[str] = field(default_factory=list)
    origin: dict[tuple[str, str], str] = field(default_factory=dict)

    @overload
    def find(self, kind: Literal["methods"], name: str) -> MethodSpec: ...
    @overload
    def find(self, kind: Literal["augmentations"], name: str) -> AugmentationSpec: ...
    @overload
    def find(self, kind: Literal["datasets"], name: str) -> DatasetLayout: ...
    @overload
    def find(self, kind: Literal["metrics"], name: str) -> MetricSpec: ...
    @overload
    def find(self, kind: Literal["trackers"], name: str) -> TrackerSpec: ...
    @overload
    def find(self, kind: Literal["protocols"], name: str) -> Path: ...
    def find(self, kind: str, name: str) -> object:
        """The spec called `name` among `methods`, `protocols` ...; an unknown name suggests the nearest."""
        known: dict[str, object] = getattr(self, kind)
        if name in known:
            return known[name]
        raise UsageError(unknown_name(kind.removesuffix("s"), name, known))

    def report(self, plugin: Plugin, what: str, error: BaseException | None = None) -> None:
        """Take note of something that is wrong with a plugin."""
        self.problems.append(f"plugin '{plugin.name}' ({plugin.distribution}): {what}")
        if error is not None:
            self.traces.append(trace_of(error))


def unknown_name(noun: str, name: str, known: Iterable[str]) -> str:
    """A message for a name that does not exist, with the nearest one that does."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(sorted(known)) or 'none'}"
    return f"unknown {noun} '{name}'; {hint}"


_KINDS: dict[str, tuple[str, type[Any]]] = {
    "methods": ("benchmark_methods", MethodSpec),
    "augmentations": ("benchmark_augmentations", AugmentationSpec),
    "datasets": ("benchmark_datasets", DatasetLayout),
    "metrics": ("benchmark_metrics", MetricSpec),
    "trackers": ("benchmark_trackers", TrackerSpec),
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
        distribution, version = (point.dist.name, point.dist.version) if point.dist else ("unknown", "unknown")
        plugin = Plugin(point.name, distribution, version)
        with _reported(result, plugin, "cannot be imported"):
            _register(result, point.load(), plugin)
    return result


@contextlib.contextmanager
def _reported(result: Registry, plugin: Plugin, what: str) -> Iterator[None]:
    """A plugin is foreign code: whatever it raises in the block is a problem of that plugin, and costs only it."""
    try:
        with fenced(what):
            yield
    except (BenchmarkError, MemoryError, OSError) as error:
        told = str(error) if isinstance(error, PluginFault) else f"{what}: {type(error).__name__}: {one_line(error)}"
        result.report(plugin, told, error)


def _register(result: Registry, module: Any, plugin: Plugin) -> None:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    with _reported(result, plugin, "does not fit the hooks"):
        manager.register(module, name=plugin.name)
        manager.check_pending()
        result.plugins.append(plugin)
        for kind, (hook, expected) in _KINDS.items():
            with _reported(result, plugin, f"{hook} failed"):
                for value in _values(getattr(manager.hook, hook)(), hook):
                    _add(result, kind, expected, value, plugin, hook)


def _values(answers: Iterable[Iterable[Any]], hook: str) -> list[Any]:
    """What a hook gave, as far as it goes: one that never ends must not stop everything."""
    values = list(itertools.islice((value for answer in answers for value in answer), MOST_SPECS + 1))
    if len(values) > MOST_SPECS:
        raise PluginFault(f"{hook} gave more than {MOST_SPECS} values")
    return values


def _add(result: Registry, kind: str, expected: type[Any], value: Any, plugin: Plugin, hook: str) -> None:
    if not (isinstance(value, Path) if expected is Path else type(value) is expected):
        result.report(plugin, f"{hook} returned {type(value).__name__}, expected {expected.__name__}")
        return
    noun = kind.removesuffix("s")
    with _reported(result, plugin, f"{noun} cannot be looked at"):
        name = value.stem if isinstance(value, Path) else value.name
        shown = f"{noun} '{name}'" if isinstance(name, str) and name.isprintable() else noun
        fault = fault_of(value) if not isinstance(value, Path) else None
        if fault:
            result.report(plugin, f"{shown}: {fault}")
            return
        known = getattr(result, kind)
        if name in known:
            result.report(plugin, f"{shown} is already provided by '{result.origin[kind, name]}', which is kept")
            return
        known[name] = value
        result.origin[kind, name] = plugin.name


def _own_version() -> str:
    from benchmark.version import __version__

    return __version__
