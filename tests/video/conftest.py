"""A busy machine."""

from __future__ import annotations

import multiprocessing

import pytest


def burn(stop) -> None:
    while not stop.is_set():
        sum(range(10_000))


@pytest.fixture
def busy():
    """A machine with more to do than it can."""
    stop = multiprocessing.get_context("spawn").Event()
    burners = [
        multiprocessing.get_context("spawn").Process(target=burn, args=(stop,), daemon=True)
        for _ in range(2 * multiprocessing.cpu_count())
    ]
    for burner in burners:
        burner.start()
    yield
    stop.set()
    for burner in burners:
        burner.join()
