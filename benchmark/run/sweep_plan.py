"""From a sweep to the units of its table, the stages in which they run, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmark.datasets.scored import scored_ids
from benchmark.datasets.windows import cut
from benchmark.errors import UsageError
from benchmark.protocol import Protocol
from benchmark.registry import registry
from benchmark.run.data import Data, load_data
from benchmark.run.execute import limited
from benchmark.run.plan import (
    PROTOCOL_PREFIX,
    Request,
    Row,
    check_request,
    find_protocol,
    make_units,
    parse_augmentation,
    parse_settings,
    stages,
)
from benchmark.run.presets import effective_rate, preset_of_unit
from benchmark.run.run import unfinished
from benchmark.run.state import read_state
from benchmark.run.sweep import Cell, Sweep, baseline_of, expand
from benchmark.run.units import Unit
from benchmark.specs import Recipe, load_object

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
class Line:
    """A row under a protocol: a line of the table.

    trained: the units under another protocol whose checkpoints a cross-dataset line tests. baseline: position of the
    line that this one is compared with, None for a baseline itself.
    """

    cell: Cell
    protocol: Protocol
    data: Data
    units: tuple[Unit, ...]
    trained: tuple[Unit, ...] = ()
    baseline: int | None = None


@dataclass(frozen=True)
class Stage:
    """Units under one protocol, whose models start from the same files."""

    protocol: Protocol
    data: Data
    units: tuple[Unit, ...]
    init: Mapping[str, Path]


@dataclass(frozen=True)
class Plan:
    """The lines of a sweep's table, and the stages that bring them about, in the order in which they must run."""

    lines: tuple[Line, ...]
    stages: tuple[Stage, ...]


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
    cells = expand(sweep)
    _check_settings(cells, choices)
    stray = sorted(set(choices.init) - {cell.method for cell in cells})
    if stray:
        raise UsageError(f"--init: the sweep has no method '{stray[0]}'")
    for cell in cells:
        check_request(_request(cell, sweep.protocols[0], sweep, choices))
    votes = any(cell.labels == "soft" for cell in cells)
    loaded: dict[str, Data] = {}
    lines = []
    for name, protocol in zip(sweep.protocols, sweep_protocols(sweep), strict=True):
        steps = stages(protocol)
        for step in steps:
            if step.hash not in loaded:
                loaded[step.hash] = load_data(step, root, votes)
        for cell in cells:
            request = _request(cell, name, sweep, choices)
            made: list[list[Unit]] = []
            for step in steps:
                made.append(make_units(request, step, loaded[step.hash], made[-1] if made else ()))
            trained = tuple(made[0]) if len(made) > 1 else ()
            lines.append(Line(cell, protocol, loaded[protocol.hash], tuple(made[-1]), trained))
    compared = [replace(line, baseline=_baseline(sweep, cells, lines, number)) for number, line in enumerate(lines)]
    return Plan(tuple(compared), tuple(_stages(compared, loaded, choices)))


def works_of(plan: Plan, runs: Path) -> list[tuple[Line, Work]]:
    """Every line with its cost; the training that a cross-dataset line builds on is a line before it."""
    lines = []
    for line in plan.lines:
        if line.trained:
            lines.append(replace(line, units=line.trained, trained=()))
        lines.append(line)
    return [(line, work_of(line.units, line.data, runs)) for line in lines]


def work_of(units: Sequence[Unit], data: Data, runs: Path) -> Work:
    """The cost of units of one row under one protocol; what finished before is read from the folder of all runs."""
    todo = {unit.identity for unit in unfinished(units, runs)}
    done = [unit for unit in units if unit.identity not in todo]
    states = [state for unit in done if (state := read_state(runs / unit.folder)) is not None]
    first = units[0]
    preset = preset_of_unit(first)
    # Units that test another unit's checkpoint do not train.
    epochs = 0 if first.source else preset.epochs
    clips = sum(_train_inputs(unit, data) for unit in units)
    recipe: Recipe = load_object(registry().find("methods", first.method).recipe)(preset, len(first.protocol.classes))
    return Work(
        units=len(units),
        finished=len(done),
        preset=first.preset,
        input=f"{preset.sampling.frames} x {preset.size}",
        batch=preset.batch_size,
        rate=effective_rate(recipe, preset, first.overrides),
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


def _check_settings(cells: Sequence[Cell], choices: Choices) -> None:
    given = [*parse_settings(choices.settings), *(key for cell in cells for key in cell.settings)]
    locked = next((key for key in given if key.startswith(PROTOCOL_PREFIX)), None)
    if locked:
        raise UsageError(f"{locked}: a sweep runs under protocols as they are; write a protocol file of its own")


def _request(cell: Cell, protocol: str, sweep: Sweep, choices: Choices) -> Request:
    return Request(
        protocol=protocol,
        rows=(Row(cell.method, tuple(map(parse_augmentation, cell.augment)), cell.labels),),
        preset=sweep.presets.get(cell.method, PAPER) if choices.preset == PAPER else choices.preset,
        folds=choices.folds,
        seeds=choices.seeds or sweep.seeds,
        settings=(*cell.set_options, *choices.settings),
        limit=choices.limit,
        init=choices.init.get(cell.method, {}),
    )


def _baseline(sweep: Sweep, cells: Sequence[Cell], lines: Sequence[Line], number: int) -> int | None:
    """Position of the baseline of the line at `number`; refuses one that is tested on other clips."""
    line = lines[number]
    cell, name = baseline_of(sweep, cells, line.cell, sweep.protocols[number // len(cells)])
    position = sweep.protocols.index(name) * len(cells) + cells.index(cell)
    other = lines[position]
    if position == number:
        return None
    if other.protocol.classes != line.protocol.classes or _tested(other) != _tested(line):
        raise UsageError(
            f"sweep {sweep.name}: '{line.cell.label}' under {line.protocol.name} cannot be compared with "
            f"'{cell.label}' under {other.protocol.name}: they are tested on different clips or classes"
        )
    return position


def _tested(line: Line) -> dict[tuple[int, int], list[str]]:
    return {(unit.seed, unit.fold): scored_ids(line.data.folds[unit.fold].test) for unit in line.units}


def _stages(lines: Sequence[Line], loaded: Mapping[str, Data], choices: Choices) -> list[Stage]:
    """All training before all testing of checkpoints on other datasets; no unit twice."""
    groups: dict[Any, dict[str, Unit]] = {}
    for step in (0, 1):
        for line in lines:
            units = ((line.trained or line.units), line.units if line.trained else ())[step]
            for unit in units:
                init = tuple(choices.init.get(unit.method, {}).items())
                groups.setdefault((step, unit.protocol.hash, init), {}).setdefault(unit.identity, unit)
    return [
        Stage(first.protocol, loaded[first.protocol.hash], tuple(units.values()), dict(init))
        for (_, _, init), units in groups.items()
        for first in [next(iter(units.values()))]
    ]
