"""From what a command asks for to the units of its run; everything that can be refused is refused here."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from benchmark.errors import UsageError
from benchmark.fence import PluginFault
from benchmark.planning.data import Data, decoder_of_data, load_data
from benchmark.planning.settings import PROTOCOL_PREFIX, _locked, parse_settings
from benchmark.plugin_functions import build_augmentation
from benchmark.protocol import Protocol, load_protocol, override, taken_over
from benchmark.registry import registry
from benchmark.scoring.computing import counts_answers
from benchmark.specs import LabelMode, Preset
from benchmark.units.description import described
from benchmark.units.initial_weights import hash_files, network_of
from benchmark.units.presets import chosen_preset
from benchmark.units.unit import ChosenAugmentation, Unit

# How test clips are looked at where it is not as the protocol says.
ViewsMode = Literal["official"]


@dataclass(frozen=True)
class Variant:
    """What a row of a leaderboard is about: a method with its augmentations and the labels that it learns from."""

    method: str
    augmentations: tuple[ChosenAugmentation, ...] = ()
    labels: LabelMode = "hard"


@dataclass(frozen=True)
class Request:
    """What is to be run; `init` holds a weight file for each network that starts from one, by name.

    settings: as for `--set`, `key=value` with a YAML value. unofficial: whether they may change the protocol, which
    takes the rank away. limit: at most so many clips of each split.
    """

    protocol: str
    variants: tuple[Variant, ...]
    preset: str = "paper"
    folds: tuple[int, ...] | None = None
    seeds: tuple[int, ...] = (0,)
    settings: tuple[str, ...] = ()
    unofficial: bool = False
    limit: int | None = None
    views: ViewsMode | None = None
    init: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class UnitGroup:
    """Units under one protocol, whose models start from the same files."""

    protocol: Protocol
    data: Data
    units: tuple[Unit, ...]
    init: Mapping[str, Path]


def find_protocol(name: str) -> Protocol:
    """The registered protocol called `name`, or the protocol file at that path."""
    if name.endswith((".yaml", ".yml")):
        protocol = load_protocol(Path(name))
    else:
        protocol = load_protocol(registry().find("protocols", name))
    registry().find("datasets", protocol.dataset)
    if protocol.test_on:
        registry().find("datasets", protocol.test_on.dataset)
    for metric in protocol.metrics:
        spec = registry().find("metrics", metric)
        if counts_answers(spec, protocol):
            continue
        if spec.input == "blends":
            raise UsageError(f"protocol {protocol.name}: metrics: '{metric}' is of blends, and needs `answers: blends`")
        raise UsageError(
            f"protocol {protocol.name}: metrics: '{metric}' does not follow from a confusion matrix, so no record "
            "could show it; `benchmark score` computes it for a finished run"
        )
    return protocol


def plan_run(request: Request, protocol: Protocol, data_root: Path | None) -> list[UnitGroup]:
    """The units asked for, with their data: one group, or two where a cross-dataset protocol trains on another.

    With `views` one more group tests the same checkpoints otherwise. protocol: `resolve_protocol(request)`.
    """
    votes = any(variant.labels == "soft" for variant in request.variants)
    groups: list[UnitGroup] = []
    for step in protocols_to_run(protocol):
        data = load_data(step, data_root, votes)
        units = make_units(request, step, data, groups[-1].units if groups else ())
        groups.append(UnitGroup(step, data, tuple(units), request.init))
    if request.views:
        data = groups[-1].data
        units = make_units(request, protocol, data, groups[0].units, request.views)
        groups.append(UnitGroup(protocol, data, tuple(units), request.init))
    return groups


def make_units(
    request: Request, protocol: Protocol, data: Data, sources: Sequence[Unit] = (), views: ViewsMode | None = None
) -> list[Unit]:
    """The units asked for, row by row, seed by seed, fold by fold.

    protocol: the one asked for, or the one that it trains on. sources: the units of the latter, when these are the
    cross-dataset units, or those with other `views`, that test their checkpoints.
    """
    changes = protocol_overrides(request)
    overrides = {key: value for key, value in parse_settings(request.settings).items() if not _locked(key)}
    folds = request.folds or protocol.folds
    unknown = sorted(set(folds) - set(protocol.folds))
    if unknown:
        raise UsageError(f"protocol {protocol.name} has folds {list(protocol.folds)}, not {unknown}")
    asked = resolve_protocol(request).name
    init = hash_files(request.init)
    decoder = decoder_of_data(data, protocol)
    trained = {unit.folder: unit.identity for unit in sources}
    units = [
        Unit(
            protocol=protocol,
            method=variant.method,
            method_version=registry().find("methods", variant.method).version,
            preset=request.preset,
            augmentations=in_order(variant.augmentations),
            labels=variant.labels,
            seed=seed,
            fold=fold,
            data=data.fingerprints[variant.labels],
            decoder=decoder,
            crops=data.crops,
            synthetic=data.synthetic,
            overrides=overrides,
            init=init,
            protocol_overrides=changes if protocol.name == asked else taken_over(changes),
            limit=request.limit,
            views=views,
        )
        for variant in request.variants
        for seed in request.seeds
        for fold in folds
    ]
    known: dict[str, Unit] = {}
    for unit in units:
        if unit.variant not in known:
            known[unit.variant] = described(unit)
    return [
        unit.model_copy(
            update={
                "recipe": known[unit.variant].recipe,
                "code": known[unit.variant].code,
                **({"source": trained[unit.source_folder]} if unit.source_folder else {}),
            }
        )
        for unit in units
    ]


def protocols_to_run(protocol: Protocol) -> list[Protocol]:
    """What must be run, in this order: the protocol that a cross-dataset one trains on comes first."""
    return [protocol.train_on, protocol] if protocol.train_on else [protocol]


def resolve_protocol(request: Request) -> Protocol:
    """The protocol with `--set protocol.key=value` applied, which needs `--unofficial`."""
    protocol = find_protocol(request.protocol)
    changes = protocol_overrides(request)
    if changes and not request.unofficial:
        raise UsageError(
            f"--set {PROTOCOL_PREFIX}{next(iter(changes))}: the protocol's keys are locked, so that results can be "
            "compared; with --unofficial it runs, and its record is marked and never ranked"
        )
    return override(protocol, changes) if changes else protocol


def protocol_overrides(request: Request) -> dict[str, Any]:
    """The `--set protocol.key=value` changes, by key."""
    settings = parse_settings(request.settings)
    return {key.removeprefix(PROTOCOL_PREFIX): value for key, value in settings.items() if _locked(key)}


def parse_augmentation(text: str) -> ChosenAugmentation:
    """`name` or `name:key=value,key=value`, checked against the augmentation's options."""
    name, _, tail = text.partition(":")
    spec = registry().find("augmentations", name)
    options = dict(spec.options)
    given = parse_settings(tail.split(","), f"--augment {name}:") if tail else {}
    for key, value in given.items():
        if key not in options:
            raise UsageError(f"--augment {text}: {name} has no option '{key}'; it has: {', '.join(options) or 'none'}")
        kind = type(options[key])
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, kind):
            raise UsageError(f"--augment {text}: {key} must be {kind.__name__}, not {value!r}")
        options[key] = value
    changed = {key: value for key, value in options.items() if value != spec.options[key]}
    return ChosenAugmentation(name=name, version=spec.version, options=changed)


def in_order(augmentations: Sequence[ChosenAugmentation]) -> tuple[ChosenAugmentation, ...]:
    """The order in which they are applied: clip transforms as they were asked for, then the batch mixer."""
    return tuple(sorted(augmentations, key=_mixes))


def _mixes(chosen: ChosenAugmentation) -> bool:
    return "batch" in registry().find("augmentations", chosen.name).touches


def check_request(request: Request) -> None:
    """Refuse rows that cannot work, before any data is looked for."""
    protocol = find_protocol(request.protocol)
    classes = len(protocol.classes)
    if request.views and protocol.windows:
        raise UsageError(f"--views: {protocol.name} cuts videos into windows, which are the views")
    for variant in request.variants:
        preset = _check_variant(variant, request.preset, parse_settings(request.settings), protocol.dataset)
        if preset.epochs == 0 and not request.init:
            raise UsageError("--set epochs=0 tests the weights of --init as they are: give them")
        if request.views and preset.views is None:
            raise UsageError(
                f"--views {request.views}: {variant.method}'s official evaluation looks at a clip once (preset "
                f"{request.preset}), as every run does"
            )
        for chosen in variant.augmentations:
            # The plugin itself knows which values its options can have; one that is broken costs only its rows, later.
            with contextlib.suppress(PluginFault):
                build_augmentation(registry().find("augmentations", chosen.name), classes, chosen.options)
        for network in request.init:
            network_of(registry().find("methods", variant.method), network)


def _check_variant(variant: Variant, preset: str, settings: Mapping[str, Any], dataset: str) -> Preset:
    method = registry().find("methods", variant.method)
    chosen = chosen_preset(method, preset, settings, dataset)
    if variant.labels not in method.label_modes:
        raise UsageError(
            f"{method.name} cannot learn from {variant.labels} labels; it accepts: {', '.join(method.label_modes)}"
        )
    specs = [registry().find("augmentations", chosen.name) for chosen in variant.augmentations]
    mixers = [chosen.name for chosen in variant.augmentations if _mixes(chosen)]
    if len(mixers) > 1:
        raise UsageError(f"{' and '.join(mixers)} both mix the batch; only one of them can be used")
    soft = [spec.name for spec in specs if "targets" in spec.touches]
    if soft and "soft" not in method.label_modes:
        raise UsageError(f"{soft[0]} makes soft targets, which {method.name} cannot learn from")
    return chosen
