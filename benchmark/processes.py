"""Worker processes that do not outlive the one at the terminal, and leave every signal to it."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker
from typing import Any

from benchmark.errors import EnvironmentProblem

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Of Linux's prctl: the signal that a process is sent when its parent dies.
_PR_SET_PDEATHSIG = 1
# Seconds in which a process that reads clips may end by itself after it was told to.
_GRACE = 10.0


@contextlib.contextmanager
def worker_pool(
    workers: int, start: Callable[..., None], arguments: tuple[Any, ...] = (), *, died: str
) -> Iterator[ProcessPoolExecutor]:
    """Worker processes, each prepared by `start(*arguments)`, which are killed when the block ends with an error.

    died: what to tell, as an EnvironmentProblem, when a worker died.
    """
    # Spawned, not forked: the caller may hold threads, or have used an accelerator.
    pool = _Pool(workers, multiprocessing.get_context("spawn"), initializer=start, initargs=arguments)
    try:
        yield pool
    except BrokenProcessPool as error:
        raise EnvironmentProblem(died) from error
    except BaseException:
        # Whatever the workers have finished is kept; waiting for the rest could take hours.
        for process in list((pool._processes or {}).values()):
            process.kill()
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


class _Pool(ProcessPoolExecutor):
    """Workers are born with the signals blocked: one that arrives while they start would end them with a traceback."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **options: Any) -> Future[Any]:
        """Submit a call, which may start a worker."""
        # Its own start lets the signals through again.
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            return super().submit(function, *arguments, **options)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def follow_parent() -> None:
    """Prepare a worker: signals are the parent's business, and the parent's death is the worker's end."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    # stdout carries results, and those are the parent's.
    with contextlib.suppress(OSError):
        os.dup2(2, 1)
    die_with_parent()
    threading.Thread(target=_die_with_parent, daemon=True).start()


def follow_reader() -> None:
    """Prepare a process that reads clips for another: as `follow_parent`, but its owner ends it with SIGTERM."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end_later)
    die_with_parent()


def die_with_parent() -> None:
    """Have this process killed when its parent dies, however that happens; only Linux can do it."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end_later(*_: object) -> None:
    # Sent to all of a job at once, SIGTERM must not let the owner see its reader die; it ends the reader itself.
    timer = threading.Timer(_GRACE, os._exit, (1,))
    timer.daemon = True
    timer.start()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
