"""From a sweep to the units of its table, the groups in which they run, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmark.datasets.scored import scored_ids
from benchmark.datasets.windows import cut
from benchmark.errors import UsageError
from benchmark.planning.data import Data, load_data
from benchmark.planning.request import (
    Request,
    UnitGroup,
    Variant,
    check_request,
    find_protocol,
    make_units,
    parse_augmentation,
    protocols_to_run,
)
from benchmark.planning.settings import PROTOCOL_PREFIX, parse_settings
from benchmark.planning.sweep_file import NamedVariant, Sweep, baseline_of, expand
from benchmark.plugin_functions import make_recipe
from benchmark.protocol import Protocol
from benchmark.registry import registry
from benchmark.units.presets import effective_rate, preset_of_unit
from benchmark.units.samples import limited
from benchmark.units.state import read_state, unfinished
from benchmark.units.unit import Unit

PAPER = "paper"
# Forward and backward pass of a training step, in forward passes.
PASSES = 3


@dataclass(frozen=True)
class Choices:
    """What is chosen when a sweep is run, for all of its rows; `init` holds weight files by method and network."""

    preset: str = "paper"
    folds: tuple[int, ...] | None = None
    seeds: tuple[int, ...] | None = None
    settings: tuple[str, ...] = ()
    limit: int | None = None
    init: Mapping[str, Mapping[str, Path]] = field(default_factory=dict)


@dataclass(frozen=True)
class PlannedRow:
    """A row under a protocol: a row of the table.

    trained: the units under another protocol whose checkpoints a cross-dataset row tests. baseline: position of the
    row that this one is compared with, None for a baseline itself.
    """

    variant: NamedVariant
    protocol: Protocol
    data: Data
    units: tuple[Unit, ...]
    trained: tuple[Unit, ...] = ()
    baseline: int | None = None


@dataclass(frozen=True)
class Plan:
    """The rows of a sweep's table, and the groups of units behind them, in the order in which they must run."""

    rows: tuple[PlannedRow, ...]
    groups: tuple[UnitGroup, ...]


@dataclass(frozen=True)
class Work:
    """Some units and their cost.

    preset, input, batch, rate: by which each is trained, "frames x edge", clips of a batch, and learning rate.
    clips: train clips (or windows) of each unit, on average. epochs: of each unit. gflops: of training all the units,
    finished or not, in 10^9 operations. seconds: what the finished ones took, None if there are none.
    """

    units: int
    finished: int
    preset: str
    input: str
    batch: int
    rate: float
    clips: float
    epochs: int
    gflops: float
    seconds: float | None


def sweep_protocols(sweep: Sweep) -> list[Protocol]:
    """The sweep's protocols, in its order; raises UsageError for one that lacks something the table shows."""
    protocols = [find_protocol(name) for name in sweep.protocols]
    for protocol in protocols:
        for kind, wanted, has in (
            ("metric", sweep.metrics, protocol.metrics),
            ("grouping", sweep.groupings, [grouping.name for grouping in protocol.groupings]),
        ):
            missing = sorted(set(wanted) - set(has))
            if missing:
                raise UsageError(f"sweep {sweep.name}: protocol {protocol.name} has no {kind} '{missing[0]}'")
    return protocols


def plan_sweep(sweep: Sweep, choices: Choices, root: Path | None) -> Plan:
    """Everything that can be refused is refused here, before anything runs."""
    variants = expand(sweep)
    _check_settings(variants, choices)
    stray = sorted(set(choices.init) - {variant.method for variant in variants})
    if stray:
        raise UsageError(f"--init: the sweep has no method '{stray[0]}'")
    for variant in variants:
        check_request(_request(variant, sweep.protocols[0], sweep, choices))
    votes = any(variant.labels == "soft" for variant in variants)
    loaded: dict[str, Data] = {}
    rows = []
    for name, protocol in zip(sweep.protocols, sweep_protocols(sweep), strict=True):
        steps = protocols_to_run(protocol)
        for step in steps:
            if step.hash not in loaded:
                loaded[step.hash] = load_data(step, root, votes)
        for variant in variants:
            request = _request(variant, name, sweep, choices)
            made: list[list[Unit]] = []
            for step in steps:
                made.append(make_units(request, step, loaded[step.hash], made[-1] if made else ()))
            trained = tuple(made[0]) if len(made) > 1 else ()
            rows.append(PlannedRow(variant, protocol, loaded[protocol.hash], tuple(made[-1]), trained))
    compared = [replace(row, baseline=_baseline(sweep, variants, rows, number)) for number, row in enumerate(rows)]
    return Plan(tuple(compared), tuple(_groups(compared, loaded, choices)))


def works_of(plan: Plan, runs: Path) -> list[tuple[PlannedRow, Work]]:
    """Every row with its cost; the training that a cross-dataset row builds on is a row before it."""
    rows = []
    for row in plan.rows:
        if row.trained:
            rows.append(replace(row, units=row.trained, trained=()))
        rows.append(row)
    return [(row, work_of(row.units, row.data, runs)) for row in rows]


def work_of(units: Sequence[Unit], data: Data, runs: Path) -> Work:
    """The cost of units of one row under one protocol; what finished before is read from the folder of all runs."""
    todo = {unit.identity for unit in unfinished(units, runs, changed="again", dry=True)}
    done = [unit for unit in units if unit.identity not in todo]
    states = [state for unit in done if (state := read_state(runs / unit.folder)) is not None]
    first = units[0]
    preset = preset_of_unit(first)
    # Units that test another unit's checkpoint do not train.
    epochs = 0 if first.source else preset.epochs
    clips = sum(_train_inputs(unit, data) for unit in units)
    method = registry().find("methods", first.method)
    return Work(
        units=len(units),
        finished=len(done),
        preset=first.preset,
        input=f"{preset.sampling.frames} x {preset.size}",
        batch=preset.batch_size,
        rate=effective_rate(make_recipe(method.recipe, preset, len(first.protocol.classes)), preset, first.overrides),
        clips=clips / len(units),
        epochs=epochs,
        gflops=preset.gflops * clips * preset.copies * epochs * PASSES,
        seconds=sum(s.cost.train_seconds + s.cost.predict_seconds for s in states) if states else None,
    )


def _train_inputs(unit: Unit, data: Data) -> int:
    """Train clips of the unit's fold, or their windows."""
    clips = limited(data.folds[unit.fold], unit.limit).train
    windows = unit.protocol.windows
    return len(clips) if windows is None else sum(len(cut(clip, windows)) for clip in clips)


def _check_settings(variants: Sequence[NamedVariant], choices: Choices) -> None:
    given = [*parse_settings(choices.settings), *(key for variant in variants for key in variant.settings)]
    locked = next((key for key in given if key.startswith(PROTOCOL_PREFIX)), None)
    if locked:
        raise UsageError(f"{locked}: a sweep runs under protocols as they are; write a protocol file of its own")


def _request(variant: NamedVariant, protocol: str, sweep: Sweep, choices: Choices) -> Request:
    return Request(
        protocol=protocol,
        variants=(Variant(variant.method, tuple(map(parse_augmentation, variant.augment)), variant.labels),),
        preset=sweep.presets.get(variant.method, PAPER) if choices.preset == PAPER else choices.preset,
        folds=choices.folds,
        seeds=choices.seeds or sweep.seeds,
        settings=(*variant.set_options, *choices.settings),
        limit=choices.limit,
        init=choices.init.get(variant.method, {}),
    )


def _baseline(sweep: Sweep, variants: Sequence[NamedVariant], rows: Sequence[PlannedRow], number: int) -> int | None:
    """Position of the baseline of the row at `number`; refuses one that is tested on other clips."""
    row = rows[number]
    variant, name = baseline_of(sweep, variants, row.variant, sweep.protocols[number // len(variants)])
    position = sweep.protocols.index(name) * len(variants) + variants.index(variant)
    other = rows[position]
    if position == number:
        return None
    if other.protocol.classes != row.protocol.classes or _tested(other) != _tested(row):
        raise UsageError(
            f"sweep {sweep.name}: '{row.variant.label}' under {row.protocol.name} cannot be compared with "
            f"'{variant.label}' under {other.protocol.name}: they are tested on different clips or classes"
        )
    return position


def _tested(row: PlannedRow) -> dict[tuple[int, int], list[str]]:
    return {(unit.seed, unit.fold): scored_ids(row.data.folds[unit.fold].test) for unit in row.units}


def _groups(rows: Sequence[PlannedRow], loaded: Mapping[str, Data], choices: Choices) -> list[UnitGroup]:
    """All training before all testing of checkpoints on other datasets; no unit twice."""
    groups: dict[Any, dict[str, Unit]] = {}
    for step in (0, 1):
        for row in rows:
            units = ((row.trained or row.units), row.units if row.trained else ())[step]
            for unit in units:
                init = tuple(choices.init.get(unit.method, {}).items())
                groups.setdefault((step, unit.protocol.hash, init), {}).setdefault(unit.identity, unit)
    return [
        UnitGroup(first.protocol, loaded[first.protocol.hash], tuple(units.values()), dict(init))
        for (_, _, init), units in groups.items()
        for first in [next(iter(units.values()))]
    ]
