"""What this process was given to compute with: by its affinity, its control group and its scheduler.

The machine's own size says nothing about it: a job on a shared node has a few of its cores and a part of its memory.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmark.errors import EnvironmentProblem, UsageError

CONTROL_GROUPS = Path("/sys/fs/cgroup")
# What schedulers promise a job: cores, and MiB of memory.
CORE_VARIABLES = ("SLURM_CPUS_PER_TASK", "PBS_NCPUS", "NSLOTS")
MEMORY_VARIABLE = "SLURM_MEM_PER_NODE"
# Which accelerators CUDA shows to this process, and which it did before some of them were hidden here. Worker processes
# inherit both.
VISIBLE, GIVEN = "CUDA_VISIBLE_DEVICES", "BENCHMARK_GIVEN_DEVICES"
_UNSAID = "unsaid"


def cores() -> int:
    """Number of cores, at least 1."""
    limits = [len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1]
    for quota in _limits("cpu.max"):
        allowed, _, period = quota.partition(" ")
        if allowed.isdigit() and period.isdigit() and int(period):
            limits.append(math.ceil(int(allowed) / int(period)))
    limits += [int(value) for name in CORE_VARIABLES if (value := os.environ.get(name, "")).isdigit()]
    return max(min(limits), 1)


def memory() -> int:
    """Bytes of memory."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    limits += [int(limit) for limit in _limits("memory.max") if limit.isdigit()]
    promised = os.environ.get(MEMORY_VARIABLE, "")
    # Slurm says 0 for all that a node has.
    if promised.isdigit() and int(promised):
        limits.append(int(promised) * 2**20)
    return min(limits)


def given_devices() -> list[str] | None:
    """The accelerators that the scheduler gave, as CUDA names them: numbers, `GPU-...` or `MIG-...`, in its order.

    None if it said nothing, so that all there are may be used.
    """
    text = os.environ.get(GIVEN, os.environ.get(VISIBLE, _UNSAID))
    if text == _UNSAID:
        return None
    # As CUDA reads it: what comes after something that names no device does not count.
    names = (name.strip() for name in text.split(","))
    return list(itertools.takewhile(lambda name: name.isdigit() or name.startswith(("GPU-", "MIG-")), names))


def show_devices(names: str) -> None:
    """Let CUDA see these of the given accelerators, and no others; only before the first use of one."""
    os.environ.setdefault(GIVEN, os.environ.get(VISIBLE, _UNSAID))
    os.environ[VISIBLE] = names


def choose_device(name: str) -> None:
    """Let CUDA see what `auto`, `cpu`, `cuda` or `cuda:N` stands for; N counts the devices that the scheduler gave.

    To be called before anything asks CUDA what there is, as MMEngine does when it is imported: it answers the same ever
    after. Raises UsageError for another name, EnvironmentProblem for a device that was not given.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise UsageError(f"--device {name}: give auto, cpu, cuda or cuda:N, with N from 0")
    if name == "cpu":
        show_devices("")
    elif name.startswith("cuda:"):
        show_devices(_device(int(name.removeprefix("cuda:"))))


def _device(number: int) -> str:
    """The `number`-th device that the scheduler gave, as CUDA names it."""
    given = given_devices()
    if given is None:
        return str(number)
    if number >= len(given):
        raise EnvironmentProblem(
            f"--device cuda:{number}: this process was given {len(given)} accelerators, counted from cuda:0 "
            f"({VISIBLE}={','.join(given)}); choose one of them, or ask the scheduler for more"
        )
    return given[number]


def shared_out(processes: int, devices: Sequence[str]) -> list[str | None]:
    """The device of each process, all as often as any other; None for each if there are no devices."""
    return [devices[number % len(devices)] if devices else None for number in range(processes)]


def _limits(name: str) -> Iterator[str]:
    """The limit called `name` of this process's control group and of every group around it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            number, _, group = line.split(":", 2)
            if number != "0":
                continue
            place = CONTROL_GROUPS / group.lstrip("/")
            for folder in (place, *place.parents):
                if not folder.is_relative_to(CONTROL_GROUPS):
                    break
                with contextlib.suppress(OSError):
                    yield (folder / name).read_text(encoding="utf-8").strip()
