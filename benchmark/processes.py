"""Worker processes that do not outlive the one at the terminal."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from benchmark.errors import EnvironmentProblem


@contextlib.contextmanager
def worker_pool(
    workers: int, start: Callable[..., None], arguments: tuple[Any, ...] = (), *, died: str
) -> Iterator[ProcessPoolExecutor]:
    """Worker processes, each prepared by `start(*arguments)`, which are killed when the block ends with an error.

    died: what to tell, as an EnvironmentProblem, when a worker died.
    """
    # Spawned, not forked: the caller may hold threads, or have used an accelerator.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=start, initargs=arguments)
    try:
        yield pool
    except BrokenProcessPool as error:
        raise EnvironmentProblem(died) from error
    except BaseException:
        # Whatever the workers have finished is kept; waiting for the rest could take hours.
        for process in list(pool._processes.values()):
            process.kill()
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def follow_parent() -> None:
    """Prepare a worker: interrupts are the parent's business, and the parent's death is the worker's end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
