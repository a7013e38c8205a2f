"""What this process was given to compute with: by its affinity, its control group and its scheduler.

The machine's own size says nothing about it: a job on a shared node has a few of its cores and a part of its memory.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path

CONTROL_GROUPS = Path("/sys/fs/cgroup")
# What schedulers promise a job: cores, and MiB of memory.
CORE_VARIABLES = ("SLURM_CPUS_PER_TASK", "PBS_NCPUS", "NSLOTS")
MEMORY_VARIABLE = "SLURM_MEM_PER_NODE"


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
