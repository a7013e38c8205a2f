"""Processes that compute one unit together, each on a device of its own: started, watched, and ended together."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from benchmark.errors import BenchmarkError, EnvironmentProblem, UsageError
from benchmark.failures import reason_of
from benchmark.processes import SIGNALS, follow_parent
from benchmark.resources import show_devices
from benchmark.running.relay import Receiver, Sender
from benchmark.running.torchrun import TORCHRUN, started_by_torchrun
from benchmark.watcher import Watcher

# Seconds in which it is seen that a process is dead, after another one has noticed.
_SEEN = 2.0
# The last thing that a process tells.
_DONE, _FAILED = "done", "failed"


class TeamFailed(EnvironmentProblem):
    """One of the processes could not go on, so none could."""


@contextlib.contextmanager
def torchrun_led(shared: bool, device: str) -> Iterator[bool]:
    """Where torchrun has started several of this process for work that can be `shared`: whether this one leads.

    The others have helped it when the block begins, and have nothing left to do.
    """
    if not shared or started_by_torchrun() == 1:
        yield True
        return
    rank, size, local = (int(os.environ[name]) for name in TORCHRUN[:3])
    _check_shared(size, device)
    _hush_torch()
    from benchmark.training.devices import use_device
    from benchmark.training.distributed import dismiss, follow, group

    # CUDA must not be asked first which devices there are: it would show each process all of them.
    use_device("cpu" if device == "cpu" else f"cuda:{local}")

    with group(rank, size, "env://"):
        if rank:
            follow()
        yield rank == 0
        if rank == 0:
            dismiss()


def _hush_torch() -> None:
    """Before it is imported: what it remarks would be seen from every process."""
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")


def _check_shared(processes: int, device: str) -> None:
    if device not in ("auto", "cuda", "cpu"):
        raise UsageError(f"--gpus {processes} --device {device}: that is one device; leave out --device")


def device_for_each(processes: int, device: str) -> list[str]:
    """The accelerator of each of the processes, as CUDA names it; empty on a processor.

    Raises UsageError for a single device, EnvironmentProblem where there are fewer accelerators.
    """
    _check_shared(processes, device)
    if device == "cpu":
        return [""] * processes
    from benchmark.training.devices import visible_devices

    found = visible_devices()
    if len(found) < processes:
        raise EnvironmentProblem(
            f"--gpus {processes}: torch sees {len(found)} accelerators; use fewer, or try it with --device cpu"
        )
    return found[:processes]


def compute_together(
    devices: Sequence[str], work: Callable[..., Any], arguments: tuple[Any, ...], watcher: Watcher
) -> Any:
    """`work(*arguments, watcher)` in the first of new processes, which the others help; what it gives.

    devices: see `device_for_each`. What `work` raises is raised here. Raises TeamFailed, after all have ended, if one
    of the others fails or dies.
    """
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        members, pipes = [], []
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            for rank, device in enumerate(devices):
                here, there = context.Pipe(duplex=False)
                place = (rank, len(devices), f"file://{Path(folder) / 'rendezvous'}", device, there)
                member = context.Process(target=_member, args=(*place, work if rank == 0 else None, arguments))
                member.start()
                there.close()
                members.append(member)
                pipes.append(here)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        try:
            return _result(members, pipes, watcher)
        finally:
            for member in members:
                member.kill()
            for member in members:
                member.join()


def _member(
    rank: int,
    size: int,
    rendezvous: str,
    device: str,
    told: Connection,
    work: Callable[..., Any] | None,
    arguments: tuple[Any, ...],
) -> None:
    """What each process does: the first one works, the others follow it."""
    follow_parent()
    show_devices(device)
    _hush_torch()
    # Data loaders fork, as everywhere on Linux; a spawned process would otherwise spawn them too, which takes seconds.
    multiprocessing.set_start_method("fork", force=True)
    from benchmark.training.distributed import dismiss, follow, group

    with group(rank, size, rendezvous):
        try:
            if work is None:
                follow()
                return
            result = work(*arguments, Sender(lambda name, values: told.send((name, values))))
            dismiss()
            told.send((_DONE, result))
        except BaseException as error:
            told.send((_FAILED, error if isinstance(error, BenchmarkError) else TeamFailed(reason_of(error))))
            # Not ending here, so that what is told of the others is never that this one is gone.
            threading.Event().wait()


def _result(members: Sequence[BaseProcess], pipes: Sequence[Connection], watcher: Watcher) -> Any:
    receiver = Receiver(watcher)
    while True:
        there = [pipe for pipe in pipes if not pipe.closed]
        ready = wait([*there, *(member.sentinel for member in members if member.exitcode is None)])
        heard = [pipe for pipe in there if pipe in ready]
        for message in filter(None, map(_received, heard)):
            kind, values = message
            if kind == _DONE:
                return values
            if kind == _FAILED:
                # Perhaps only because another one is no longer there.
                wait([member.sentinel for member in members], timeout=_SEEN)
                _raise_death(members)
                raise values
            receiver.tell(kind, values)
        # What the dead have said is heard before.
        if not any(pipe.poll() for pipe in pipes if not pipe.closed):
            _raise_death(members)


def _received(pipe: Connection) -> tuple[str, Any] | None:
    try:
        return pipe.recv()
    except (EOFError, OSError):
        pipe.close()
        return None


def _raise_death(members: Sequence[BaseProcess]) -> None:
    """Raise TeamFailed if one of them has died."""
    for number, member in enumerate(members):
        if member.exitcode:
            how = f"was killed by signal {-member.exitcode}" if member.exitcode < 0 else "ended"
            raise TeamFailed(
                f"process {number} of {len(members)} that computed together {how}, perhaps for lack of memory; nothing "
                "finished is lost: run the same command again"
            )
