"""Random streams that depend on what is being done, not on who does it or how often it was interrupted."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import torch


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (all devices)."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@contextlib.contextmanager
def clip_stream(seed: int) -> Iterator[None]:
    """Inside, every random generator starts from `seed`; afterwards the outer streams go on as if nothing happened."""
    python_state, numpy_state, torch_state = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed)
    # Not torch.manual_seed: that would also reset the accelerator's generator, which transforms never use.
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        torch.set_rng_state(torch_state)


@contextlib.contextmanager
def own_stream(seed: int) -> Iterator[None]:
    """As `clip_stream`, for what a model draws: the accelerator's generator starts from `seed` as well."""
    # Of all accelerators it would warn in every step; a process computes on one.
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with clip_stream(seed), torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield
