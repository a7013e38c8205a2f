"""How units are run on this machine: choices that never change a result's identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from benchmark.errors import UsageError
from benchmark.resources import cores, memory
from benchmark.running.torchrun import team_size
from benchmark.units.precision import Precision

if TYPE_CHECKING:
    from benchmark.units.computing import Computing
    from benchmark.units.identity import Changed

# Units at a time on a processor, and processes that read clips beside an accelerator, if nothing else is asked for.
MOST_JOBS, MOST_WORKERS = 4, 8
# What a small unit takes, with some room.
UNIT_MEMORY = 3 * 2**30


def _default_computing() -> Computing:
    from benchmark.units.computing import Computing  # takes longer to import than all else here together

    return Computing()


@dataclass(frozen=True)
class Machine:
    """Run-time choices: where data and results lie, and what computes. They never change a result's identity.

    dataset_root, test_root: where the train and val clips lie, and the test clips. init: weight files by network.
    find_micro_batch: whether each unit begins by finding the largest micro-batch that fits, instead of `computing`'s.
    checkpointing: see `Resources`.
    """

    runs: Path
    dataset_root: Path
    test_root: Path
    cache: Path
    device: str = "auto"
    computing: Computing = field(default_factory=_default_computing)
    find_micro_batch: bool = False
    checkpointing: bool = False
    workers: int = 0
    init: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Resources:
    """What a caller may choose about how units run.

    device: `auto`, `cpu`, `cuda` or `cuda:N`. jobs: units at a time; by default one on an accelerator, which it keeps
    busy, and up to four on a processor. threads: with which each unit computes on the CPU; another number adds in
    another order and so gives other last digits, which is why it does not follow from the machine. workers: processes
    that read clips for each unit; by default none on a processor and up to eight beside an accelerator. changed: what
    becomes of work that an older recipe or older code has made. precision, deterministic, compile: see `Computing`;
    `auto` is bf16 on an accelerator that has it, and else fp32. micro_batch: clips that go through the model together,
    of a batch that is learned from as a whole all the same; `auto` finds how many fit when a unit begins.
    checkpointing: what a network's layers compute inside is computed again for the gradients instead of being kept, to
    the same bits. gpus: accelerators that share the batches of a unit, with a process for each; by default one, or as
    many as torchrun has started processes.
    """

    device: str = "auto"
    jobs: int | None = None
    threads: int = 1
    workers: int | None = None
    changed: Changed = "refuse"
    precision: Precision | Literal["auto"] = "auto"
    deterministic: bool = False
    compile: bool = False
    micro_batch: int | Literal["auto"] | None = None
    checkpointing: bool = False
    gpus: int | None = None

    def jobs_on(self, accelerated: bool) -> int:
        """Units at a time. Raises UsageError where several were asked for that would share the same accelerators."""
        if team_size(self.gpus) > 1:
            if (self.jobs or 1) > 1:
                raise UsageError(
                    f"--jobs {self.jobs}: units that are computed on several --gpus run one after the other"
                )
            return 1
        if self.jobs is not None:
            return self.jobs
        return 1 if accelerated else max(min(cores() // self.threads, memory() // UNIT_MEMORY, MOST_JOBS), 1)

    def computing_on(self, bf16: bool) -> Computing:
        """How units compute; `bf16` says whether the device has that type."""
        from benchmark.units.computing import Computing

        precision = ("bf16" if bf16 else "fp32") if self.precision == "auto" else self.precision
        return Computing(
            precision=precision,
            deterministic=self.deterministic,
            compile=self.compile,
            micro_batch=None if self.micro_batch == "auto" else self.micro_batch,
            processes=team_size(self.gpus),
            threads=self.threads,
        )

    def workers_on(self, accelerated: bool) -> int:
        """Reading processes of each unit."""
        if self.workers is not None:
            return self.workers
        return min(MOST_WORKERS, max(cores() - 1, 0)) if accelerated else 0
