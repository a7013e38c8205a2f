"""What tests of running share: a watcher that remembers, and a request planned on a synthetic dataset."""

from __future__ import annotations

from pathlib import Path

from benchmark import Request, Watcher
from benchmark.planning.request import UnitGroup, plan_run, resolve_protocol
from benchmark.running.machine import Machine


class Remembering(Watcher):
    """A watcher that only remembers."""

    def __init__(self):
        self.epochs = []
        self.failures = []

    def epoch(self, unit, row):
        self.epochs.append(row["epoch"])

    def failed(self, unit, reason):
        self.failures.append(reason)


def planned(request: Request, root: Path, place: Path) -> tuple[UnitGroup, Machine]:
    """The request's one group of units, and a machine that keeps everything in `place`."""
    (group,) = plan_run(request, resolve_protocol(request), root)
    data = group.data
    return group, Machine(place / "runs", data.root, data.test_root, place / "cache", device="cpu", init=request.init)
