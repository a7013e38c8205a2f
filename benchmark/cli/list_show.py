"""`benchmark list` and `benchmark show`: what there is. Never imports torch to list or show."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from benchmark.cli.output import add_json, note, positive, print_fields, print_json, print_table
from benchmark.errors import BenchmarkError, UsageError
from benchmark.failures import explain, show_trace
from benchmark.registry import Registry, registry, unknown_name
from benchmark.specs import AugmentationSpec, DatasetLayout, MethodSpec, MetricSpec

KINDS = ("protocols", "methods", "augmentations", "datasets", "metrics", "trackers", "sweeps", "plugins")
SPECS = ("methods", "augmentations", "datasets", "metrics")


def add_commands(commands: Any) -> None:
    """Declare the commands of this module."""
    lister = commands.add_parser("list", help="list what is installed")
    lister.add_argument("kind", choices=KINDS, help="what to list")
    add_json(lister)
    lister.set_defaults(function=list_kind)

    shower = commands.add_parser("show", help="everything about one method, protocol, sweep ...")
    shower.add_argument("name", help="of anything that is listed; or a protocol file")
    shower.add_argument("--protocol", metavar="P", help="for a method: its recipe as it is on the protocol's dataset")
    shower.add_argument(
        "--frames", type=positive, metavar="N", help="for a method: which frames of a clip of N frames it is tested on"
    )
    shower.add_argument("--splits", action="store_true", help="for a protocol: sizes and class counts of every fold")
    shower.add_argument("--export", type=Path, metavar="DIR", help="with --splits: write the id lists to DIR")
    shower.add_argument("--data-root", type=Path, metavar="DIR", help="where the datasets are")
    add_json(shower)
    shower.set_defaults(function=show)


def list_kind(options: argparse.Namespace) -> None:
    """`benchmark list KIND`."""
    found = registry()
    if options.kind == "plugins":
        rows = [dataclasses.asdict(plugin) for plugin in found.plugins]
        if options.json:
            print_json({"plugins": rows, "problems": found.problems})
            return
        print_table([list(row.values()) for row in rows], ["plugin", "distribution", "version"])
    else:
        entries = _sweeps() if options.kind == "sweeps" else _summaries(found, options.kind)
        if options.json:
            print_json(entries)
            return
        print_table([list(entry.values()) for entry in entries], list(entries[0]) if entries else ["name"])


def _summaries(found: Registry, kind: str) -> list[dict[str, Any]]:
    """One line for each; a file that is no protocol costs only its own."""
    entries = []
    for name in sorted(getattr(found, kind)):
        try:
            entries.append(_summary(found, kind, name))
        except (BenchmarkError, OSError) as error:
            show_trace(error)
            told = "; ".join(explain(error).message.splitlines())
            note(f"warning: plugin '{found.origin[kind, name]}': {kind.removesuffix('s')} '{name}': {told}")
    return entries


def _summary(found: Registry, kind: str, name: str) -> dict[str, Any]:
    spec = getattr(found, kind)[name]
    origin = {"plugin": found.origin[kind, name]}
    if kind == "protocols":
        from benchmark.protocol import load_protocol

        protocol = load_protocol(spec)
        return {
            "name": name,
            "version": protocol.version,
            "title": protocol.title,
            "hash": protocol.hash[:12],
            **origin,
        }
    if isinstance(spec, MethodSpec):
        paper = spec.presets["paper"] if "paper" in spec.presets else next(iter(spec.presets.values()))
        return {
            "name": name,
            "title": spec.title,
            "input": f"{paper.sampling.frames}x{paper.size}x{paper.size}",
            "presets": ", ".join(spec.presets),
            "labels": ", ".join(spec.label_modes),
            "pretraining": paper.pretraining,
            **origin,
        }
    if isinstance(spec, AugmentationSpec):
        options = ", ".join(f"{key}={value}" for key, value in spec.options.items())
        return {
            "name": name,
            "title": spec.title,
            "touches": ", ".join(sorted(spec.touches)),
            "options": options,
            **origin,
        }
    return {"name": name, "title": spec.title, **origin}


def _sweeps() -> list[dict[str, Any]]:
    from benchmark.planning.sweep_file import expand, read_sweep, shipped_sweeps

    sweeps = [read_sweep(path) for path in shipped_sweeps().values()]
    return [
        {
            "name": sweep.name,
            "title": sweep.title,
            "protocols": ", ".join(sweep.protocols),
            "rows": len(expand(sweep)),
            "citation": sweep.citation,
        }
        for sweep in sweeps
    ]


def show(options: argparse.Namespace) -> int:
    """`benchmark show NAME`."""
    from benchmark.planning.sweep_file import find_sweep, shipped_sweeps

    found = registry()
    for option in ("protocol", "frames"):
        if getattr(options, option) and options.name not in found.methods:
            raise UsageError(f"--{option} belongs to a method, which '{options.name}' is not")
    if options.splits or options.name in found.protocols or options.name.endswith((".yaml", ".yml")):
        _show_protocol(options)
    elif options.name in shipped_sweeps():
        _print_value(find_sweep(options.name).model_dump(mode="json", by_alias=True, exclude_unset=True), options.json)
    else:
        spec = _find_any(found, options.name)
        if isinstance(spec, MethodSpec):
            from benchmark.cli.show_method import show_method
            from benchmark.planning.request import find_protocol

            protocol = find_protocol(options.protocol) if options.protocol else None
            return show_method(spec, _plain(spec), protocol, options.frames, options.json)
        elif options.json:
            print_json(_plain(spec))
        else:
            print_fields(_plain(spec))
    return 0


def _show_protocol(options: argparse.Namespace) -> None:
    from benchmark.planning.request import find_protocol

    protocol = find_protocol(options.name)
    if options.splits:
        from benchmark.cli.show_splits import show_splits

        show_splits(protocol, options)
    elif options.json:
        print_json({**protocol.canonical(), "hash": protocol.hash})
    else:
        _print_value(protocol.canonical(), as_json=False)
        print(f"hash: {protocol.hash}")


def _print_value(value: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(value)
    else:
        import yaml

        print(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100), end="")


def _find_any(found: Registry, name: str) -> MethodSpec | AugmentationSpec | DatasetLayout | MetricSpec:
    for kind in SPECS:
        if name in getattr(found, kind):
            return getattr(found, kind)[name]
    from benchmark.planning.sweep_file import shipped_sweeps

    known = [*shipped_sweeps(), *(known for kind in ("protocols", *SPECS) for known in getattr(found, kind))]
    raise UsageError(unknown_name("name", name, known))


def _plain(spec: Any) -> dict[str, Any]:
    """A spec as JSON-like values, without the import paths of its code."""
    value = {}
    for field in dataclasses.fields(spec):
        item = getattr(spec, field.name)
        if isinstance(item, str) and ":" in item and " " not in item and "\n" not in item:
            continue
        value[field.name] = _json_like(item)
    if isinstance(spec, MethodSpec):
        value["presets"] = {name: _plain(preset) for name, preset in spec.presets.items()}
    return value


def _json_like(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(value)
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, dict):
        return {str(key): _json_like(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value
