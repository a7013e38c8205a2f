"""From what a command asks for to the units of its run; everything that can be refused is refused here."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmark.datasets.counts import part_counts, unexpected
from benchmark.datasets.splits import SPLITS, Fold, make_folds
from benchmark.datasets.synthetic import MARKER
from benchmark.errors import EnvironmentProblem, UsageError
from benchmark.files import hash_file, hash_value, read_json
from benchmark.protocol import Protocol, load_protocol
from benchmark.registry import registry
from benchmark.run.units import ChosenAugmentation, Unit
from benchmark.specs import AugmentationSpec, DatasetLayout, load_object

PROTOCOL_PREFIX = "protocol."


@dataclass(frozen=True)
class Row:
    """One row of a leaderboard: a method with its augmentations and the labels it learns from."""

    method: str
    augmentations: tuple[ChosenAugmentation, ...] = ()
    labels: str = "hard"


@dataclass(frozen=True)
class Request:
    """What `benchmark run` was asked for."""

    protocol: str
    rows: tuple[Row, ...]
    preset: str = "paper"
    folds: tuple[int, ...] | None = None
    seeds: tuple[int, ...] = (0,)
    settings: tuple[str, ...] = ()
    unofficial: bool = False
    limit: int | None = None
    init: Path | None = None


@dataclass(frozen=True)
class Data:
    """A dataset as found on disk: its clip table divided into folds.

    fingerprints: by label mode, a hash of all that training and scoring read from the annotations; `soft` is there only
        if the votes were read.
    deviations: how real data differ from what is known of the dataset; results on them are never ranked.
    """

    layout: DatasetLayout
    root: Path
    folds: dict[int, Fold]
    fingerprints: Mapping[str, str]
    synthetic: bool
    deviations: tuple[str, ...]

    @property
    def clips(self) -> int:
        """Number of different clips over all folds."""
        return len({clip.id for fold in self.folds.values() for name in SPLITS for clip in fold.split(name)})


def find_protocol(name: str) -> Protocol:
    """The registered protocol called `name`, or the protocol file at that path."""
    if name.endswith((".yaml", ".yml")):
        protocol = load_protocol(Path(name))
    else:
        protocol = load_protocol(registry().find("protocols", name))
    registry().find("datasets", protocol.dataset)
    for metric in protocol.metrics:
        registry().find("metrics", metric)
    return protocol


def load_data(protocol: Protocol, data_root: Path | None, votes: bool) -> Data:
    """Find and read the protocol's dataset under `data_root`, and divide it."""
    layout = registry().find("datasets", protocol.dataset)
    if protocol.frames.source not in layout.frame_sources:
        raise UsageError(
            f"protocol {protocol.name}: frames.source '{protocol.frames.source}' is not one that {layout.name} has: "
            f"{', '.join(layout.frame_sources)}"
        )
    root = find_root(layout, data_root)
    clips = load_object(layout.read)(root, votes)
    mark = root / MARKER
    facts = [
        read_json(mark) if mark.is_file() else None,
        [[clip.id, clip.label, sorted(clip.parts.items())] for clip in clips],
    ]
    fingerprints = {"hard": hash_value(facts)}
    if votes:
        fingerprints["soft"] = hash_value([*facts, [[clip.id, dict(clip.votes or {})] for clip in clips]])
    return Data(
        layout,
        root,
        {fold.number: fold for fold in make_folds(clips, protocol)},
        fingerprints,
        mark.is_file(),
        () if mark.is_file() else tuple(unexpected(layout, part_counts(clips, layout.classes))),
    )


def find_root(layout: DatasetLayout, data_root: Path | None) -> Path:
    """The dataset's root under `data_root`; what is missing is said together with how to get it."""
    root = load_object(layout.find)(data_root) if data_root else None
    if root is None:
        where = f"not found under {data_root}" if data_root else "needs --data-root DIR (or BENCHMARK_DATA_ROOT)"
        raise EnvironmentProblem(
            f"{layout.title}: {where}.\n"
            f"To obtain it: {layout.obtain}\n"
            f"Expected tree:\n{layout.tree}\n"
            "To try the benchmark without it, on synthetic data: add --demo"
        )
    return root


def make_units(request: Request, protocol: Protocol, data: Data) -> list[Unit]:
    """The units asked for, row by row, seed by seed, fold by fold."""
    overrides = {key: value for key, value in parse_settings(request.settings).items() if not _locked(key)}
    folds = request.folds or protocol.folds
    unknown = sorted(set(folds) - set(protocol.folds))
    if unknown:
        raise UsageError(f"protocol {protocol.name} has folds {list(protocol.folds)}, not {unknown}")
    return [
        Unit(
            protocol=protocol,
            method=row.method,
            method_version=registry().find("methods", row.method).version,
            preset=request.preset,
            augmentations=row.augmentations,
            labels=row.labels,  # type: ignore[arg-type]
            seed=seed,
            fold=fold,
            data=data.fingerprints[row.labels],
            synthetic=data.synthetic,
            overrides=overrides,
            init=hash_file(request.init) if request.init else None,
            protocol_overrides=protocol_overrides(request),
            limit=request.limit,
        )
        for row in request.rows
        for seed in request.seeds
        for fold in folds
    ]


def resolve_protocol(request: Request) -> Protocol:
    """The protocol with `--set protocol.key=value` applied, which needs `--unofficial`."""
    protocol = find_protocol(request.protocol)
    changes = protocol_overrides(request)
    if changes and not request.unofficial:
        raise UsageError(
            f"--set {PROTOCOL_PREFIX}{next(iter(changes))}: the protocol's keys are locked, so that results compare; "
            "with --unofficial the run goes on and its record is marked and never ranked"
        )
    return protocol.override(changes) if changes else protocol


def protocol_overrides(request: Request) -> dict[str, Any]:
    """The `--set protocol.key=value` changes, by key."""
    settings = parse_settings(request.settings)
    return {key.removeprefix(PROTOCOL_PREFIX): value for key, value in settings.items() if _locked(key)}


def _locked(key: str) -> bool:
    return key.startswith(PROTOCOL_PREFIX)


def parse_settings(settings: Sequence[str]) -> dict[str, Any]:
    """`key=value` pairs, with values read as YAML (`0.1`, `true`, `[1, 2]`, text)."""
    parsed = {}
    for setting in settings:
        key, separator, value = setting.partition("=")
        if not separator or not key:
            raise UsageError(f"--set {setting}: expected key=value")
        parsed[key] = _number(yaml.safe_load(value))
    return parsed


def _number(value: Any) -> Any:
    """YAML 1.1 reads `1e-3` as text; everyone else reads a number."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def parse_augmentation(text: str) -> ChosenAugmentation:
    """`name` or `name:key=value,key=value`, checked against the augmentation's options."""
    name, _, tail = text.partition(":")
    spec: AugmentationSpec = registry().find("augmentations", name)
    options = dict(spec.options)
    given = parse_settings(tail.split(",")) if tail else {}
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


def check_request(request: Request) -> None:
    """Refuse rows that cannot work, before any data is looked for."""
    for row in request.rows:
        _check_row(row, request.preset)


def _check_row(row: Row, preset: str) -> None:
    method = registry().find("methods", row.method)
    if preset not in method.presets:
        raise UsageError(f"{method.name} has no preset '{preset}'; it has: {', '.join(method.presets)}")
    if row.labels not in method.label_modes:
        raise UsageError(
            f"{method.name} cannot learn from {row.labels} labels; it accepts: {', '.join(method.label_modes)}"
        )
    specs = [registry().find("augmentations", chosen.name) for chosen in row.augmentations]
    mixers = [spec.name for spec in specs if "batch" in spec.touches]
    if len(mixers) > 1:
        raise UsageError(f"{' and '.join(mixers)} both mix the batch; only one of them can be used")
    soft = [spec.name for spec in specs if "targets" in spec.touches]
    if soft and "soft" not in method.label_modes:
        raise UsageError(f"{soft[0]} makes soft targets, which {method.name} cannot learn from")


def check_frames(data: Data, source: str) -> None:
    """Every clip's frames must be there before hours are spent; what they hold is seen when they are read."""
    paths = {c.id: c.frames[source] for fold in data.folds.values() for name in SPLITS for c in fold.split(name)}
    missing = sorted(clip_id for clip_id, path in paths.items() if not (data.root / path).exists())
    if missing:
        raise EnvironmentProblem(
            f"{data.layout.title}: {len(missing)} of {len(paths)} clips have no frames, the first is clip "
            f"{missing[0]}: {data.root / paths[missing[0]]}; "
            f"`benchmark data check {data.layout.name} --root {data.root}` lists them all"
        )


def default_root(data_root: Path | None) -> Path | None:
    """`--data-root`, or else the environment's BENCHMARK_DATA_ROOT."""
    configured = os.environ.get("BENCHMARK_DATA_ROOT")
    return data_root or (Path(configured) if configured else None)
