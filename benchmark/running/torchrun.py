"""What torchrun has told this process; light, because every command asks."""

from __future__ import annotations

import os

from benchmark.errors import UsageError

# What torchrun tells each of the processes that it starts.
TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


def started_by_torchrun() -> int:
    """The number of processes that torchrun, or what does as it does, has started with this one; 1 without it."""
    return int(os.environ["WORLD_SIZE"]) if all(name in os.environ for name in TORCHRUN) else 1


def team_size(gpus: int | None) -> int:
    """How many processes compute a unit. Raises UsageError where two answers are given."""
    outer = started_by_torchrun()
    if gpus is not None and outer > 1 and gpus != outer:
        raise UsageError(f"--gpus {gpus}: torchrun has started {outer} processes; leave out --gpus, or give {outer}")
    return gpus or outer
