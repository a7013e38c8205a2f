"""A run: every unit asked for, one after the other or several at a time; a unit that fails costs only itself."""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, field
from typing import Any

from benchmark.datasets.splits import Fold
from benchmark.errors import EnvironmentProblem, UnitFailed
from benchmark.failures import explain, reason_of, stops_everything
from benchmark.fence import from_outside, prints_apart
from benchmark.planning.data import Data
from benchmark.processes import follow_parent, worker_pool
from benchmark.resources import shared_out, show_devices
from benchmark.running.machine import Machine
from benchmark.running.relay import Receiver, Sender
from benchmark.running.steps import note_failure, run_unit
from benchmark.running.team import TeamFailed, compute_together, device_for_each, started_by_torchrun
from benchmark.units.unit import Unit
from benchmark.watcher import Watcher

DIED = (
    "a worker process died, perhaps for lack of memory; nothing finished is lost: run the same command again, with a "
    "smaller --jobs"
)


@dataclass
class Outcome:
    """Which units are finished, and why the others are not."""

    done: list[Unit] = field(default_factory=list)
    failed: list[tuple[Unit, str]] = field(default_factory=list)


def run_units(todo: Sequence[Unit], data: Data, machine: Machine, watcher: Watcher, jobs: int = 1) -> Outcome:
    """Run every unit, `jobs` at a time, each in a process of its own when there are several, or in several processes.

    An interrupt ends the run, and so does what every unit would meet (a full disk); everything else only the unit.
    """
    outcome = Outcome()
    together = machine.computing.processes > 1 and started_by_torchrun() == 1
    results = _together if together else _in_parallel if jobs > 1 else _one_by_one
    for unit, reason in results(todo, data, machine, watcher, jobs):
        if reason is None:
            outcome.done.append(unit)
        else:
            watcher.failed(unit, reason)
            outcome.failed.append((unit, reason))
    return outcome


Result = tuple[Unit, str | None]


def _one_by_one(todo: Sequence[Unit], data: Data, machine: Machine, watcher: Watcher, jobs: int) -> Iterator[Result]:
    for unit in todo:
        yield unit, _attempt(unit, data.folds[unit.fold], machine, watcher)


def _together(todo: Sequence[Unit], data: Data, machine: Machine, watcher: Watcher, jobs: int) -> Iterator[Result]:
    devices = device_for_each(machine.computing.processes, machine.device)
    for unit in todo:
        try:
            compute_together(devices, _lead_unit, (unit, data.folds[unit.fold], machine), watcher)
            yield unit, None
        except UnitFailed as error:
            yield unit, str(error)
        except TeamFailed as error:
            note_failure(machine.runs / unit.folder, str(error))
            yield unit, str(error)


def _lead_unit(unit: Unit, fold: Fold, machine: Machine, watcher: Watcher) -> None:
    if reason := _attempt(unit, fold, machine, watcher):
        raise UnitFailed(reason)


def _in_parallel(todo: Sequence[Unit], data: Data, machine: Machine, watcher: Watcher, jobs: int) -> Iterator[Result]:
    from benchmark.training.devices import visible_devices

    context = multiprocessing.get_context("spawn")
    events, devices = context.SimpleQueue(), context.SimpleQueue()
    # One that was chosen by its number is every worker's.
    for device in shared_out(jobs, visible_devices() if machine.device in ("auto", "cuda") else []):
        devices.put(device)
    with _listening(events, watcher), worker_pool(jobs, _start_worker, (events, devices), died=DIED) as pool:
        futures = {pool.submit(_work, unit, data.folds[unit.fold], machine): unit for unit in todo}
        for future in as_completed(futures):
            yield futures[future], future.result()


def _attempt(unit: Unit, fold: Fold, machine: Machine, watcher: Watcher) -> str | None:
    """Run the unit; the reason if it failed."""
    try:
        # Whatever a plugin or a library prints: stdout carries results.
        with prints_apart():
            run_unit(unit, fold, machine, watcher)
    # A unit runs foreign code (plugins, models): whatever it raises must not stop the others.
    except BaseException as error:
        if from_outside(error):
            raise
        if stops_everything(error):
            raise EnvironmentProblem(explain(error).message) from error
        return reason_of(error)
    return None


_sender: Sender


def _start_worker(events: Any, devices: Any) -> None:
    global _sender
    _sender = Sender(lambda name, arguments: events.put((name, arguments)))
    follow_parent()
    # Before torch is imported.
    device = devices.get()
    if device is not None:
        show_devices(device)
    # Data loaders fork, as everywhere on Linux; a spawned process would otherwise spawn them too, which takes seconds.
    multiprocessing.set_start_method("fork", force=True)


def _work(unit: Unit, fold: Fold, machine: Machine) -> str | None:
    return _attempt(unit, fold, machine, _sender)


@contextlib.contextmanager
def _listening(events: Any, watcher: Watcher) -> Iterator[None]:
    """Pass on what the workers send, in a thread, until the block ends."""

    def listen() -> None:
        receiver = Receiver(watcher)
        while (event := events.get()) is not None:
            receiver.tell(*event)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    yield
    # Not after an error: a worker that was killed while it sent something has left the queue unusable.
    events.put(None)
    listener.join()
