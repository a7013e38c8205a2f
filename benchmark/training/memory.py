"""How large a micro-batch the device's memory holds, and what to say when something did not fit."""

from __future__ import annotations

import contextlib
import copy
import gc
import math
import re
from collections.abc import Callable, Iterator

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DATASETS, MODELS

from benchmark.errors import EnvironmentProblem
from benchmark.training.batches import collate_clips
from benchmark.training.computing import compute_in
from benchmark.training.distributed import gather_objects
from benchmark.training.optimizing import optimising
from benchmark.training.recomputing import recompute_layers
from benchmark.training.shares import Cut, Step
from benchmark.units.computing import Computing

# The optimiser's own memory is taken in the first step, and is there in all others.
_STEPS = 2
# What is said by torch on a processor, and by libraries that take memory of the device by themselves.
_SAID = re.compile(r"out of memory|STATUS_ALLOC_FAILED|can't allocate memory")


def lacks_memory(error: BaseException) -> bool:
    """Whether an error of torch's says that the device's memory is used up."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and _SAID.search(str(error)) is not None


def free_memory() -> None:
    """Give back what no model needs any more.

    A model whose methods were replaced refers to itself, and is there until Python looks for such.
    """
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@contextlib.contextmanager
def memory_told(clips: int) -> Iterator[None]:
    """Say what can be done if `clips` clips at a time do not fit into the device's memory."""
    try:
        yield
    except RuntimeError as error:
        if not lacks_memory(error):
            raise
        smaller = f"--micro-batch auto, or less than {clips}; " if clips > 1 else ""
        raise EnvironmentProblem(
            f"the device's memory is used up by {clips} clips at a time: try {smaller}--checkpointing; --precision "
            "bf16; or end what else uses the device; nothing finished is lost: the same command goes on from there"
        ) from error


def find_micro_batch(config: Config, computing: Computing, cut: Cut, checkpointing: bool = False) -> int:
    """The largest number of clips, halved from this process's share of a batch, that every process can train on.

    Tried with steps of a model of its own, on copies of one clip, so that nothing of the training has begun. Raises
    EnvironmentProblem if not even one fits.
    """
    share = cut.share.stop - cut.share.start
    return min(gather_objects(largest(share, _trial(config, computing, share, checkpointing))))


def largest(most: int, fits: Callable[[int], bool]) -> int:
    """The first of `most`, its half, its quarter ... for which `fits` says yes, or 1."""
    size = most
    while size > 1 and not fits(size):
        size = math.ceil(size / 2)
    return size


def _trial(config: Config, computing: Computing, share: int, checkpointing: bool) -> Callable[[int], bool]:
    loader = config.train_dataloader
    clip = DATASETS.build(loader["dataset"])[0]

    def fits(size: int) -> bool:
        model = MODELS.build(config.model).to(get_device()).train()
        optimiser = build_optim_wrapper(model, optimising(config.optim_wrapper, computing, torch.cuda.is_available()))
        compute_in(model, computing)
        if checkpointing:
            recompute_layers(model)
        step = Step(Cut.of(share, size), "trial")
        try:
            for number in range(_STEPS):
                step(model, collate_clips([copy.deepcopy(clip) for _ in range(share)]), optimiser, 0, number)
        except RuntimeError as error:
            if not lacks_memory(error):
                raise
            return False
        return True

    def tried(size: int) -> bool:
        free_memory()
        try:
            return fits(size)
        finally:
            free_memory()

    return tried
