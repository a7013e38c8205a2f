"""A worker: it runs one unit after the other, or several at a time, each that no other worker holds.

A unit that fails costs only itself. Units that other workers hold are looked at again when the others are done.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import multiprocessing
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from benchmark.datasets.splits import Fold
from benchmark.errors import EnvironmentProblem
from benchmark.failures import explain, reason_of, stops_everything
from benchmark.fence import from_outside, prints_apart
from benchmark.locks import Busy
from benchmark.planning.data import Data
from benchmark.processes import follow_parent, worker_pool
from benchmark.resources import shared_out, show_devices
from benchmark.running.machine import Machine
from benchmark.running.relay import Receiver, Sender
from benchmark.running.steps import note_failure, run_unit
from benchmark.running.team import TeamFailed, compute_together, device_for_each
from benchmark.running.torchrun import started_by_torchrun
from benchmark.units.state import read_state
from benchmark.units.unit import Unit
from benchmark.watcher import Watcher

# Seconds after which units that other workers hold are looked at again.
LOOK_AGAIN = 5.0
DIED = (
    "a worker process died, perhaps for lack of memory; nothing finished is lost: run the same command again, with a "
    "smaller --jobs"
)


@dataclass
class Outcome:
    """Which units are finished, why others are not, and which are left to other workers."""

    done: list[Unit] = field(default_factory=list)
    failed: list[tuple[Unit, str]] = field(default_factory=list)
    left: list[Unit] = field(default_factory=list)


@dataclass(frozen=True)
class _Elsewhere:
    """Another worker holds the unit; living: whether that one is known to live."""

    message: str
    living: bool


class _Turn(NamedTuple):
    """A unit that is to be run; attempts: how many there were when it was planned."""

    unit: Unit
    fold: Fold
    machine: Machine
    attempts: int


# None of a unit that is finished, and the reason of one that failed.
Result = str | _Elsewhere | None
Start = Callable[[_Turn], "Future[Result]"]


def run_units(
    todo: Sequence[Unit], data: Data, machine: Machine, watcher: Watcher, jobs: int = 1, wait: bool = True
) -> Outcome:
    """Run every unit that no other worker holds, `jobs` at a time, each in a process of its own when there are several.

    wait: until the others have finished theirs, or died; without it, units are left to workers that are known to live.
    An interrupt ends the run, and so does what every unit would meet (a full disk); everything else only the unit.
    """
    outcome = Outcome()
    states = [read_state(machine.runs / unit.folder) for unit in todo]
    turns = [
        _Turn(unit, data.folds[unit.fold], machine, state.attempts if state else 0)
        for unit, state in zip(todo, states, strict=True)
    ]
    told = ""
    with _hands(watcher, machine, jobs) as start:
        while turns:
            held: list[tuple[_Turn, _Elsewhere]] = []
            for turn, result in _round(turns, start, jobs):
                if result is None:
                    outcome.done.append(turn.unit)
                elif isinstance(result, _Elsewhere):
                    held.append((turn, result))
                else:
                    watcher.failed(turn.unit, result)
                    outcome.failed.append((turn.unit, result))
            # Only after a round that did nothing: a unit that was held at the beginning of a long one may be free.
            if len(held) == len(turns):
                if not wait and all(result.living for _, result in held):
                    outcome.left = [turn.unit for turn, _ in held]
                    break
                if (news := "; ".join(sorted({result.message for _, result in held}))) != told:
                    watcher.note(f"waiting for {news}")
                    told = news
                time.sleep(LOOK_AGAIN)
            turns = [turn for turn, _ in held]
    return outcome


def _round(turns: Sequence[_Turn], start: Start, jobs: int) -> Iterator[tuple[_Turn, Result]]:
    """Start each unit once, in their order."""
    waiting, running = deque(turns), dict[Future[Result], _Turn]()
    while waiting or running:
        while waiting and len(running) < jobs:
            turn = waiting.popleft()
            running[start(turn)] = turn
        for future in concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED).done:
            turn, result = running.pop(future), future.result()
            if isinstance(result, _Elsewhere) and waiting:
                # Elsewhere in the plan, so that many workers do not walk one behind the other.
                waiting.rotate(-random.randrange(len(waiting)))
            yield turn, result


@contextlib.contextmanager
def _hands(watcher: Watcher, machine: Machine, jobs: int) -> Iterator[Start]:
    """What starts a unit: here and now, in several processes together, or in one of several."""
    if machine.computing.processes > 1 and started_by_torchrun() == 1:
        devices_of_each = device_for_each(machine.computing.processes, machine.device)
        yield lambda turn: _done(_together(turn, devices_of_each, watcher))
        return
    if jobs == 1:
        yield lambda turn: _done(_attempt(turn, watcher))
        return
    from benchmark.training.devices import visible_devices

    context = multiprocessing.get_context("spawn")
    events, devices = context.SimpleQueue(), context.SimpleQueue()
    # One that was chosen by its number is every worker's.
    for device in shared_out(jobs, visible_devices() if machine.device in ("auto", "cuda") else []):
        devices.put(device)
    with _listening(events, watcher), worker_pool(jobs, _start_worker, (events, devices), died=DIED) as pool:
        yield lambda turn: pool.submit(_work, turn)


def _done(result: Result) -> Future[Result]:
    future: Future[Result] = Future()
    future.set_result(result)
    return future


def _together(turn: _Turn, devices: Sequence[str], watcher: Watcher) -> Result:
    """Run the unit in several processes, of which the first holds it."""
    try:
        return compute_together(devices, _attempt, (turn,), watcher)
    except TeamFailed as error:
        note_failure(turn.machine.runs / turn.unit.folder, str(error))
        return str(error)


def _attempt(turn: _Turn, watcher: Watcher) -> Result:
    """Run the unit; the reason if it failed, or who holds it."""
    try:
        # Whatever a plugin or a library prints: stdout carries results.
        with prints_apart():
            run_unit(turn.unit, turn.fold, turn.machine, watcher, turn.attempts, patience=0)
    except Busy as busy:
        return _Elsewhere(str(busy), busy.living)
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


def _work(turn: _Turn) -> Result:
    return _attempt(turn, _sender)


@contextlib.contextmanager
def _listening(events: Any, watcher: Watcher) -> Iterator[None]:
    """Pass on what the workers send, in a thread, until the block ends."""

    telling, over = threading.Lock(), threading.Event()

    def listen() -> None:
        receiver = Receiver(watcher)
        while (event := events.get()) is not None:
            with telling:
                if over.is_set():
                    return
                receiver.tell(*event)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield
    except BaseException:
        # The thread is not waited for: a worker that was killed while it sent something has left the queue unusable.
        # What still arrives comes too late to be told, after what ended the run.
        with telling:
            over.set()
        raise
    events.put(None)
    listener.join()
