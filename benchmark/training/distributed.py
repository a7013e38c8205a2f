"""Processes that compute together: who is in the group, and what they tell each other.

The first process (rank 0) leads: it alone reads and writes states, checkpoints and predictions, and tells the others,
which follow, what to compute with it. Without a group every function here means the process alone.
"""

from __future__ import annotations

import contextlib
import pickle
import warnings
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from benchmark.training.devices import compute_by
from benchmark.units.clip_names import read_names
from benchmark.units.guard import closed

# Followers wait for the leader as long as it has other things to do; whoever started them sees it if one dies.
_PATIENCE = timedelta(days=30)


@contextlib.contextmanager
def group(rank: int, processes: int, rendezvous: str) -> Iterator[None]:
    """Be one of `processes` that compute together; they find each other at `rendezvous`, a URL as torch takes it."""
    # What newer versions of torch call deprecated, and older ones have nothing else for.
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"mmengine\.|benchmark\.")
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, init_method=rendezvous, rank=rank, world_size=processes, timeout=_PATIENCE)
    try:
        yield
    finally:
        dist.destroy_process_group()


def rank() -> int:
    """This process's number in its group."""
    return dist.get_rank() if dist.is_initialized() else 0


def processes() -> int:
    """How many compute together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def lead(function: Callable[..., Any], *arguments: Any) -> None:
    """Let every follower call `function(*arguments)`; the leader goes on, and does its own part of it."""
    if processes() > 1:
        _tell(pickle.dumps((function, arguments)))


def along(function: Callable[..., Any], job: Any, names: Path, files: Sequence[Path]) -> None:
    """In a follower, `function(job)` as the leader calls it: where the clips' names are known, and `files` closed."""
    compute_by(job.computing)
    read_names(names)  # before they are closed
    with closed(files, job.folder):
        function(job)


def dismiss() -> None:
    """Let the followers go."""
    if processes() > 1:
        _tell(b"")


def follow() -> None:
    """Compute with the leader whatever it says, until it lets go."""
    while call := _tell(None):
        function, arguments = pickle.loads(call)
        function(*arguments)


def _tell(message: bytes | None) -> bytes:
    told = [message]
    dist.broadcast_object_list(told, src=0)
    return told[0] or b""


def add_up(value: Tensor) -> Tensor:
    """The sum of every process's `value`."""
    if processes() > 1:
        value = value.clone()
        dist.all_reduce(value)
    return value


def gather_rows(rows: Tensor) -> Tensor:
    """The rows of all processes in the order of the processes, which may have different numbers of them."""
    if processes() == 1:
        return rows
    counts = gather_objects(len(rows))
    padded = rows.new_zeros(max(counts), *rows.shape[1:])
    padded[: len(rows)] = rows
    everyones = [torch.empty_like(padded) for _ in counts]
    dist.all_gather(everyones, padded)
    return torch.cat([each[:count] for each, count in zip(everyones, counts, strict=True)])


def gather_objects(value: Any) -> list[Any]:
    """Every process's `value`, in the order of the processes."""
    found = [None] * processes()
    if len(found) == 1:
        return [value]
    dist.all_gather_object(found, value)
    return found


def gather_samples(samples: list[Any]) -> list[Any]:
    """Lists joined in the order of the processes."""
    return [sample for each in gather_objects(list(samples)) for sample in each]


def from_the_first(model: nn.Module) -> None:
    """Give every process the buffers of the first one, such as running statistics."""
    if processes() > 1:
        for buffer in model.buffers():
            dist.broadcast(buffer, src=0)
