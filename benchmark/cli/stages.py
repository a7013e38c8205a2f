"""What `run` and `sweep` share: their options, running the units of a stage, and writing the records."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.cli.output import add_json, note, positive
from benchmark.cli.swapped_classes import warn_of_exchange
from benchmark.errors import UsageError
from benchmark.failures import show_trace
from benchmark.fence import PluginFault, fenced

if TYPE_CHECKING:
    from benchmark.planning.data import Data
    from benchmark.protocol import Protocol
    from benchmark.records import Record
    from benchmark.running.steps import Machine
    from benchmark.units.unit import Unit
    from benchmark.video.cache import CachePlan

Failed = list[tuple["Unit", str]]

# Units at a time on a processor, if nothing else is asked for.
MOST_JOBS = 4


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """The options that do not say which rows are run."""
    parser.add_argument("--folds", type=numbers, metavar="1-5", help="default: all of the protocol's folds")
    parser.add_argument("--preset", metavar="NAME", help="paper (default) or small (default with --demo)")
    parser.add_argument("--data-root", type=Path, metavar="DIR", help="where the datasets are; or BENCHMARK_DATA_ROOT")
    parser.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--workers", type=int, help="processes that read clips; default: by device and cores")
    parser.add_argument("--jobs", type=positive, metavar="N", help="units at a time; default: by device and cores")
    parser.add_argument(
        "--limit", type=positive, metavar="N", help="at most N clips per split, to try things; never ranked"
    )
    parser.add_argument("--demo", action="store_true", help="on synthetic data, made here, with the small presets")
    parser.add_argument("--dry-run", action="store_true", help="print what would run and stop")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs"), metavar="DIR", help="default: runs")
    add_json(parser)


def numbers(text: str) -> tuple[int, ...]:
    """`1-3,5` as (1, 2, 3, 5)."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        try:
            found += range(int(first), int(last or first) + 1)
        except ValueError:
            raise argparse.ArgumentTypeError(f"'{text}' is not like 1-5 or 0,1") from None
    if not found:
        raise argparse.ArgumentTypeError(f"'{text}' names nothing")
    return tuple(dict.fromkeys(found))


def preset_of(options: argparse.Namespace) -> str:
    """The preset that was asked for, or the one that goes with the data."""
    return options.preset or ("small" if options.demo else "paper")


def data_root(options: argparse.Namespace, protocols: Sequence[Protocol]) -> Path | None:
    """Where the protocols' datasets lie; with `--demo` they are made first."""
    from benchmark.cli.demo import demo_data
    from benchmark.planning.data import default_root

    if not options.demo:
        return default_root(options.data_root)
    if options.data_root:
        raise UsageError("--demo makes its own data; leave out --data-root")
    used = [name for p in protocols for name in (p.dataset, p.test_on.dataset if p.test_on else p.dataset)]
    return demo_data(dict.fromkeys(used))


def check_stage(
    protocol: Protocol, data: Data, units: Sequence[Unit], init: Mapping[str, Path], options: argparse.Namespace
) -> list[Unit]:
    """Refuse what cannot run, before the first hour is spent; the units that still have something to do.

    A plugin that fails here is named; it will cost only its own units. torch is imported only where it must be: for
    initial weights, for a device that was demanded, and for settings that name a type.
    """
    from benchmark.planning.data import check_frames
    from benchmark.training.config import build_config, config_values
    from benchmark.units.setting_rules import types_in
    from benchmark.units.state import unfinished

    todo = unfinished(units, options.output)
    if todo and protocol.frames.unreadable == "fail":
        check_frames(data, protocol)
    if todo and options.device not in ("auto", "cpu"):
        _machine(data, init, options)
    for unit in {unit.variant: unit for unit in todo}.values():
        places = (options.output / unit.folder, data.root, data.test_root, Path(), 0)
        try:
            config_values(unit, *places)
            if any(True for key, value in unit.overrides.items() for _ in types_in(key, value)):
                build_config(unit, *places)
            if init and unit.source is None:
                with fenced(unit.variant):
                    _try_initial(unit, _machine(data, init, options)[0])
        except PluginFault as error:
            show_trace(error)
            note(f"warning: {unit.variant} will fail: {error}")
    return todo


def run_stage(
    data: Data, units: Sequence[Unit], todo: Sequence[Unit], init: Mapping[str, Path], options: argparse.Namespace
) -> Failed:
    """Run what is missing of the units, whose models start from the files in `init`; the failed ones and why."""
    if data.synthetic:
        note(f"SYNTHETIC DATA in {data.root}: these numbers say nothing about real faces")
    for deviation in data.deviations:
        note(f"warning: {deviation}; the record will not be ranked")
    return _run(units, todo, data, init, options) if todo else []


def write_records(units: Sequence[Unit], failed: Failed, data: Data, output: Path) -> list[Record]:
    """Write the record of every row that the units belong to, and say what failed."""
    from benchmark.records import RECORD, write_record
    from benchmark.running.record import begun, make_record

    records = []
    for folder in dict.fromkeys(output / unit.record_folder for unit in units):
        if not begun(folder):  # whoever is busy there will write it
            continue
        record = make_record(folder, data)
        write_record(folder / RECORD, record)
        note(f"record: {folder / RECORD}")
        records.append(record)
        warn_of_exchange(record)
    for unit, reason in failed:
        note(f"failed: {unit.folder}: {reason}")
    return records


def _run(
    units: Sequence[Unit], todo: Sequence[Unit], data: Data, init: Mapping[str, Path], options: argparse.Namespace
) -> Failed:
    from benchmark.cli.progress import RunProgress
    from benchmark.running.run import run_units
    from benchmark.units.presets import preset_of_unit, resolved

    machine, jobs = _machine(data, init, options)
    epochs = {unit.variant: preset_of_unit(unit).epochs for unit in todo}
    for unit in {unit.variant: unit for unit in todo if unit.source is None}.values():
        preset, rate = preset_of_unit(unit), resolved(unit)["learning_rate"]
        note(f"{unit.variant}: batches of {preset.batch_size}, learning rate {rate:.4g}, {preset.epochs} epochs")
    for plan in _cache_plans(todo, data, machine.cache):
        note(str(plan))
    note(f"{len(units)} units, {len(units) - len(todo)} finished before; results in {options.output}")
    with RunProgress(len(todo), epochs, units[0].protocol.selection.metric) as progress:
        return run_units(todo, data, machine, progress, jobs).failed


def _machine(data: Data, init: Mapping[str, Path], options: argparse.Namespace) -> tuple[Machine, int]:
    """The run-time choices of this machine, and how many units run at a time. Only now is torch imported."""
    from benchmark.running.steps import Machine
    from benchmark.training.unit import use_device
    from benchmark.video.cache import cache_folder

    cores = os.cpu_count() or 1
    on_cpu = use_device(options.device, cores) == "cpu"
    # One unit keeps an accelerator busy, while small models leave most of a processor idle. Neither number may depend
    # on how much is left to do: with other threads a resumed unit would differ in its last digits.
    jobs = options.jobs or (min(cores, MOST_JOBS) if on_cpu else 1)
    machine = Machine(
        runs=options.output,
        dataset_root=data.root,
        test_root=data.test_root,
        cache=cache_folder() / "frames",
        device=options.device,
        threads=max(cores // jobs, 1),
        workers=options.workers if options.workers is not None else (0 if on_cpu else min(8, cores - 1)),
        init=init,
    )
    return machine, jobs


def _cache_plans(todo: Sequence[Unit], data: Data, folder: Path) -> list[CachePlan]:
    """What the units will write to the frame cache, by the size at which they decode."""
    from benchmark.planning.data import clip_paths
    from benchmark.units.presets import preset_of_unit
    from benchmark.video.cache import plan_cache

    # Windows of frames that are labelled one by one are not cached.
    units = [unit for unit in todo if unit.protocol.windows is None]
    sizes = sorted({size for unit in units if (size := preset_of_unit(unit).decode_size)})
    paths = list(clip_paths(data, units[0].protocol)) if sizes else []
    return [plan_cache(paths, size, folder) for size in sizes]


def _try_initial(unit: Unit, machine: Machine) -> None:
    """Say what of the initial weights does not fit, once for all units of a row; their logs name every tensor."""
    from benchmark.training.initial_weights import try_initial

    for network, report in try_initial(unit, machine).items():
        note(f"{unit.variant}: {network} starts from {machine.init[network]}: {report.summary}")
        if report.classifier:
            note(
                f"warning: {machine.init[network]} brings a classifier that has already learned these emotions: if "
                "test clips were among its training clips (one fold's test clips are the other folds' training clips), "
                "the scores mean nothing"
            )
