"""Many workers in simulated time: real leases and the real choice of units, on machines whose every call can be late.

Each worker is a thread, of which one runs at a time: whoever is next in simulated time. Every operation on the disk
takes some of that time, so that anything can happen between two of them, in an order that follows from a seed.
"""

from __future__ import annotations

import collections
import contextlib
import heapq
import itertools
import os
import random
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmark import Watcher, locks
from benchmark.failures import Interrupted
from benchmark.running import run
from benchmark.units.computing import Computing

EPOCHS = 3


class Killed(Interrupted):
    """SIGKILL: whatever the worker still tries fails, and nothing of it reaches the disk."""


class Process:
    """A worker's process on one of the machines."""

    def __init__(self, number: int, host: int) -> None:
        self.number, self.host = number, host
        self.seen: dict[Any, Any] = {}
        self.dead = self.told_to_stop = False
        self.paused_until = 0.0


class Simulation:
    """A plan of units, machines with clocks of their own, and a disk that they share.

    faults: how many seconds a worker lives on average until it is killed, pre-empted or paused.
    """

    def __init__(self, folder: Path, units: int, workers: int, faults: float, seed: int = 0) -> None:
        self.folder, self.workers, self.faults = folder, workers, faults
        self.random = random.Random(seed)
        self.now = 0.0
        self._queue: list[tuple[float, int, threading.Lock | None, Process]] = []
        self._order = itertools.count()
        self._back = threading.Lock()
        self._back.acquire()
        self._local = threading.local()
        self._processes = itertools.count(1)
        self._known: dict[int, Process] = {}
        self.hosts = max(workers // 4, 2)
        self.offsets = [self.random.uniform(-1e6, 1e6) for _ in range(self.hosts)]
        self.rates = [1 + self.random.uniform(-2e-4, 2e-4) for _ in range(self.hosts)]
        self.units = [
            SimpleNamespace(folder=Path(str(number)), fold=0, identity=str(number)) for number in range(units)
        ]
        # What lies on the disk beside the leases: finished epochs, and how often a unit was brought to its end.
        self.epochs: collections.Counter[Path] = collections.Counter()
        self.ends: collections.Counter[Path] = collections.Counter()
        self.trained = self.operations = 0
        self.errors: list[BaseException] = []
        self.happened: collections.Counter[str] = collections.Counter()

    # What the workers meet.

    @property
    def process(self) -> Process:
        """The one whose code runs."""
        return self._local.process

    def sleep(self, seconds: float) -> None:
        """Let simulated time pass, in which others run."""
        mine = self._local.lock
        heapq.heappush(self._queue, (self.now + seconds, next(self._order), mine, self.process))
        self._back.release()
        mine.acquire()
        if self.process.dead:
            raise Killed
        if self.process.told_to_stop and self._local.main:
            self.process.told_to_stop = False
            raise Interrupted

    def disk(self, name: str) -> Any:
        """One of os's functions, which takes a while, sometimes a long one."""

        def call(*arguments: Any) -> Any:
            if self.process.dead:
                raise Killed
            self.operations += 1
            late = self.random.random() < 2e-4
            self.sleep(self.random.uniform(5, 40) if late else self.random.expovariate(200))
            return getattr(os, name)(*arguments)

        return call

    def run_unit(self, unit: Any, fold: Any, machine: Any, watcher: Any, attempts: int, patience: float) -> None:
        """As steps.run_unit, with seconds of sleep for every epoch."""
        folder = self.folder / unit.folder
        if self.ends[folder]:
            return
        with locks.exclusive(folder, patience) as lease:
            if self.ends[folder]:
                return
            for epoch in range(self.epochs[folder] + 1, EPOCHS + 1):
                self.sleep(self.random.uniform(10, 60))
                self.trained += 1
                lease.check()
                self.epochs[folder] = epoch
            lease.check()
            self.ends[folder] += 1

    # What happens to them.

    def _main(self) -> None:
        todo: list[Any] = [unit for unit in self.units if not self.ends[self.folder / unit.folder]]
        data: Any = SimpleNamespace(folds=[None])
        machine: Any = SimpleNamespace(runs=self.folder, computing=Computing())
        run.run_units(todo, data, machine, Watcher(), wait=False)

    def start(self, work: Any, process: Process, main: bool, after: float = 0.0) -> None:
        """A thread of a process; a worker that was killed or pre-empted is started again, on any machine."""
        lock = threading.Lock()
        lock.acquire()

        def thread() -> None:
            self._local.lock, self._local.process, self._local.main = lock, process, main
            lock.acquire()
            again = False
            try:
                work()
            except Interrupted:
                again = main
            except BaseException as error:
                self.errors.append(error)
            process.dead |= main
            if again:
                self.worker(after=self.random.uniform(1, 120))
            self._back.release()

        heapq.heappush(self._queue, (self.now + after, next(self._order), lock, process))
        threading.Thread(target=thread, daemon=True).start()

    def worker(self, after: float = 0.0) -> None:
        """Start a worker."""
        process = Process(next(self._processes), self.random.randrange(self.hosts))
        self._known[process.number] = process
        self.start(self._main, process, main=True, after=after)
        self._fault(process, after)

    def _fault(self, process: Process, after: float) -> None:
        """Put what will happen to a process next into the queue, as an event without a thread."""
        moment = self.now + after + self.random.expovariate(1 / self.faults)
        heapq.heappush(self._queue, (moment, next(self._order), None, process))

    def _strike(self, process: Process) -> None:
        if process.dead:
            return
        kind = self.random.choice(("killed", "pre-empted", "paused"))
        self.happened[kind] += 1
        if kind == "killed":
            process.dead = True
        elif kind == "pre-empted":
            process.told_to_stop = True
        else:
            process.paused_until = self.now + self.random.uniform(20, 300)
        self._fault(process, 0.0)

    def play(self, monkeypatch: Any) -> None:
        """Until every worker has left."""
        self._patch(monkeypatch)
        for _ in range(self.workers):
            self.worker(after=self.random.uniform(0, 5))
        while self._queue:
            moment, order, lock, process = heapq.heappop(self._queue)
            self.now = max(self.now, moment)
            if lock is None:
                self._strike(process)
            elif process.paused_until > self.now and not process.dead:
                heapq.heappush(self._queue, (process.paused_until, order, lock, process))
            else:
                lock.release()
                self._back.acquire()
        assert not self.errors, self.errors

    def _patch(self, monkeypatch: Any) -> None:
        names = ("open", "read", "pwrite", "unlink", "listdir")
        disk = {name: self.disk(name) for name in names}
        rest = {name: getattr(os, name) for name in dir(os) if name not in names}
        monkeypatch.setattr(locks, "os", SimpleNamespace(**rest, **disk))
        monkeypatch.setattr(locks, "sync", lambda file: None)
        clock = SimpleNamespace(sleep=self.sleep, monotonic=self._clock, time=self._clock)
        monkeypatch.setattr(locks, "time", clock)
        monkeypatch.setattr(run, "time", clock)
        monkeypatch.setattr(run, "random", self.random)
        monkeypatch.setattr(run, "run_unit", self.run_unit)
        monkeypatch.setattr(run, "read_state", lambda folder: None)
        monkeypatch.setattr(run, "prints_apart", contextlib.nullcontext)
        monkeypatch.setattr(locks, "guarding", lambda *_: contextlib.nullcontext())
        monkeypatch.setattr(locks, "threading", SimpleNamespace(Lock=contextlib.nullcontext, **self._threads()))
        monkeypatch.setattr(locks, "_seen", _Seen(self))
        monkeypatch.setattr(locks, "_myself", lambda: {"host": self.process.host, "pid": self.process.number})
        monkeypatch.setattr(locks, "_gone", self._gone)
        monkeypatch.setattr(locks, "_is_here", lambda said: said.get("host") == self.process.host)

    def _clock(self) -> float:
        return self.offsets[self.process.host] + self.rates[self.process.host] * self.now

    def _gone(self, said: Any) -> bool:
        return bool(said) and said["host"] == self.process.host and self._known[said["pid"]].dead

    def _threads(self) -> dict[str, Any]:
        simulation = self

        class Event:
            def __init__(self) -> None:
                self.is_set = False

            def set(self) -> None:
                self.is_set = True

            def wait(self, seconds: float) -> bool:
                simulation.sleep(seconds)
                return self.is_set

        class Thread:
            def __init__(self, target: Any, args: Any, daemon: bool) -> None:
                self.work = lambda: target(*args)

            def start(self) -> None:
                simulation.start(self.work, simulation.process, main=False)

        return {"Event": Event, "Thread": Thread}


class _Seen(collections.UserDict):
    """What each process has seen of the others' leases."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    @property
    def data(self) -> Any:  # type: ignore[override]
        return self._simulation.process.seen
