"""Running groups of units: everything is checked before the first hour is spent, and every row gets its record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark.datasets.scored import scored_ids
from benchmark.failures import show_trace
from benchmark.fence import PluginFault, fenced
from benchmark.planning.data import Data, check_frames, clip_paths
from benchmark.planning.request import UnitGroup
from benchmark.planning.starting_weights import unfilled
from benchmark.records import RECORD, Record, write_record
from benchmark.records.assemble import crop_reasons
from benchmark.records.seen import seen_reasons
from benchmark.records.swapped_classes import swapped_classes
from benchmark.registry import registry
from benchmark.resources import choose_device
from benchmark.running.machine import Machine, Resources
from benchmark.running.plans import remember
from benchmark.running.record import begun, make_record
from benchmark.running.run import run_units
from benchmark.running.steps import job_of
from benchmark.units.presets import preset_of_unit, resolved
from benchmark.units.setting_rules import types_in
from benchmark.units.state import unfinished
from benchmark.units.unit import Unit
from benchmark.video.cache import CachePlan, cache_folder, plan_cache
from benchmark.watcher import Watcher


def check_group(group: UnitGroup, runs: Path, resources: Resources, watcher: Watcher, dry: bool = False) -> list[Unit]:
    """Refuse what cannot run, before the first hour is spent; the units that still have something to do.

    dry: nothing on disk is changed.

    A plugin that fails here is named; it will cost only its own units. torch is imported only where it must be: for
    initial weights, for a device that was demanded, and for settings that name a type.
    """
    from benchmark.training.config import build_config, config_values

    choose_device(resources.device)
    todo = unfinished(group.units, runs, resources.changed, dry)
    if todo and group.protocol.frames.unreadable == "fail":
        check_frames(group.data, group.protocol)
    if todo and resources.device not in ("auto", "cpu"):
        _machine(group, runs, resources)
    for unit in {unit.variant: unit for unit in todo}.values():
        places = (runs / unit.folder, group.data.root, group.data.test_root, Path(), 0)
        try:
            config_values(unit, *places)
            if any(True for key, value in unit.overrides.items() for _ in types_in(key, value)):
                build_config(unit, *places)
            if group.init and unit.source is None:
                with fenced(unit.variant):
                    _try_initial(unit, group, _machine(group, runs, resources)[0], watcher)
        except PluginFault as error:
            show_trace(error)
            watcher.note(f"warning: {unit.variant} will fail: {error}")
    if not dry:
        remember(todo, runs)
    return todo


def run_group(
    group: UnitGroup,
    todo: Sequence[Unit],
    runs: Path,
    resources: Resources,
    watcher: Watcher,
    wait: bool = True,
    left: Sequence[Unit] = (),
) -> list[Unit]:
    """Run the units of a group that have something to do, see `check_group`; the watcher is told of those that fail.

    wait: see `run_units`. left: what groups before have left to other workers. Returns what this one leaves to them,
    with the units that test a checkpoint which they are still training.
    """
    if group.data.synthetic:
        watcher.note(f"SYNTHETIC DATA in {group.data.root}: these numbers say nothing about real faces")
    for reason in (*group.data.deviations, *crop_reasons(group.data.crops, group.protocol)):
        watcher.note(f"warning: {reason}; the record will not be ranked")
    untrained = {unit.identity for unit in left}
    blocked = [unit for unit in todo if unit.source in untrained]
    ready = [unit for unit in todo if unit.source not in untrained]
    if not ready:
        return blocked
    from benchmark.training.devices import device_found

    machine, jobs = _machine(group, runs, resources)
    if resources.jobs is None:
        # A single unit needs no process of its own, which would import torch once more.
        jobs = min(jobs, len(ready))
    _tell_recipes(ready, watcher)
    watcher.note(f"computing in {machine.computing} on {device_found()}")
    for plan in _cache_plans(ready, group.data, machine.cache):
        watcher.note(str(plan))
    watcher.note(f"{len(group.units)} units, {len(group.units) - len(todo)} finished before; results in {runs}")
    watcher.planned(group.units, ready, {unit.identity: preset_of_unit(unit).epochs for unit in ready})
    try:
        return [*run_units(ready, group.data, machine, watcher, jobs, wait).left, *blocked]
    finally:
        watcher.ended()


def run_groups(
    planned: Sequence[tuple[UnitGroup, Sequence[Unit]]],
    runs: Path,
    resources: Resources,
    watcher: Watcher,
    wait: bool = True,
) -> list[Unit]:
    """Run groups in their order, each with what it has to do; the units that are left to other workers.

    wait: see `run_units`.
    """
    left: list[Unit] = []
    for group, todo in planned:
        left += run_group(group, todo, runs, resources, watcher, wait, left)
    if left:
        watcher.note(f"units left to other workers: {len(left)}; the last of these writes the records")
    return left


def write_records(
    units: Sequence[Unit], data: Data, runs: Path, watcher: Watcher, left: Sequence[Unit] = ()
) -> list[Record]:
    """Write the record of every row that the units belong to; a row with units in `left` is left to others as well.

    The caller holds `runs`: of workers that write one after the other, the last has seen all that there is.
    """
    records = []
    others = {runs / unit.record_folder for unit in left}
    for folder in dict.fromkeys(runs / unit.record_folder for unit in units):
        if folder in others or not begun(folder):
            continue
        record = make_record(folder, data)
        write_record(folder / RECORD, record)
        watcher.note(f"record: {folder / RECORD}")
        records.append(record)
        warning = swapped_classes(record)
        if warning:
            watcher.note(warning)
    return records


def _tell_recipes(todo: Sequence[Unit], watcher: Watcher) -> None:
    """Say what the batch and the learning rate of every row come to on this dataset."""
    for unit in {unit.variant: unit for unit in todo if unit.source is None}.values():
        try:
            with fenced(unit.variant):
                preset, rate = preset_of_unit(unit), resolved(unit)["learning_rate"]
        except PluginFault:
            continue  # its units will fail with the reason
        batches = f"batches of {preset.batch_size}, learning rate {rate:.4g}, {preset.epochs} epochs"
        watcher.note(f"{unit.variant}: {batches}")


def _machine(group: UnitGroup, runs: Path, resources: Resources) -> tuple[Machine, int]:
    """The run-time choices of this machine, and how many units run at a time. Only now is torch imported."""
    from benchmark.training.devices import compute_by, has_bf16, use_device

    accelerated = use_device(resources.device) != "cpu"
    computing = resources.computing_on(has_bf16())
    compute_by(computing)
    machine = Machine(
        runs=runs,
        dataset_root=group.data.root,
        test_root=group.data.test_root,
        cache=cache_folder() / "frames",
        device=resources.device,
        computing=computing,
        find_micro_batch=resources.micro_batch == "auto",
        checkpointing=resources.checkpointing,
        workers=resources.workers_on(accelerated),
        init=group.init,
    )
    return machine, resources.jobs_on(accelerated)


def _cache_plans(todo: Sequence[Unit], data: Data, folder: Path) -> list[CachePlan]:
    """What the units will write to the frame cache, by the size at which they decode."""
    # Windows of frames that are labelled one by one are not cached.
    units = [unit for unit in todo if unit.protocol.windows is None]
    sizes = sorted({size for unit in units if (size := preset_of_unit(unit).decode_size)})
    paths = list(clip_paths(data, units[0].protocol)) if sizes else []
    return [plan_cache(paths, size, folder) for size in sizes]


def _try_initial(unit: Unit, group: UnitGroup, machine: Machine, watcher: Watcher) -> None:
    """Say what of the initial weights does not fit, and what they may have seen, once for all units of a row.

    The units' logs name every tensor.
    """
    from benchmark.training.unit import try_initial

    found = try_initial(job_of(unit, machine, machine.runs / unit.folder))
    for network, (report, _) in found.items():
        watcher.note(f"{unit.variant}: {network} starts from {machine.init[network]}: {report.summary}")
    initial = {network: weights for network, (_, weights) in found.items()}
    filled = {name for weights in initial.values() for name in weights.filled}
    if line := unfilled(registry().find("methods", unit.method), [unit.variant], filled):
        watcher.note(line)
    tested = {each.fold: scored_ids(group.data.folds[each.fold].test) for each in group.units}
    for reason in seen_reasons(unit.init, initial, unit.protocol, tested):
        network, _, what = reason.partition(": ")
        watcher.note(f"warning: {machine.init[network]} {what}; {unit.variant} will be marked and not ranked")
