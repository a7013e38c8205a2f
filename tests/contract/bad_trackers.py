"""Trackers that do one thing wrong each; `book` is what they depart from."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmark.errors import EnvironmentProblem
from benchmark.trackers.curves import Curve, Curves, Tracked
from benchmark.watcher import Watcher


class Book(Curves):
    """A file for each unit, in a folder of its own."""

    def begin(self, tracked: Tracked) -> Curve:
        return Page(self.folder / "book" / f"{tracked.folder}.txt")


class Page(Curve):
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")
        self.path = path

    def log(self, epoch: int, values: Mapping[str, float]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            print(epoch, values, file=file)

    def end(self, result: Mapping[str, float], failed: bool) -> None:
        self.log(-1, result)


class WantsScores(Watcher):
    """Of a pre-training too, which has none."""

    def pretraining_epoch(self, unit, row, epochs):
        max(row["val"].values())


class OneAtATime(Watcher):
    def started(self, unit, done):
        self.unit = unit

    def epoch(self, unit, row):
        if unit != self.unit:
            raise LookupError("another unit is being drawn")


class FromTheFirst(Watcher):
    """Counts epochs itself, which those of a unit that goes on do not begin with."""

    def __init__(self) -> None:
        self.epochs: dict[str, list[int]] = {}

    def epoch(self, unit, row):
        epochs = self.epochs.setdefault(unit.identity, [])
        epochs.append(row["epoch"])
        if epochs != list(range(1, len(epochs) + 1)):
            raise ValueError(f"epochs {epochs}")


class Takes(Watcher):
    def epoch(self, unit, row):
        row.pop("val")


class WritesIntoUnits(Watcher):
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def epoch(self, unit, row):
        (self.folder / unit.folder).mkdir(parents=True, exist_ok=True)
        (self.folder / unit.folder / "curve.txt").write_text(str(row["loss"]), encoding="utf-8")


class LeavesAThread(Watcher):
    def planned(self, units, todo, epochs):
        threading.Thread(target=time.sleep, args=(3600,)).start()


class EndsTheProcess(Watcher):
    """What it cannot write, nobody shall compute."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def epoch(self, unit, row):
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            os.kill(os.getpid(), signal.SIGTERM)


class LeavesGradientsOff(Watcher):
    """What it wanted to know of the model needed none."""

    def epoch(self, unit, row):
        import torch

        torch.set_grad_enabled(False)


def book(folder: Path) -> Watcher:
    return Book(folder)


def no_watcher(folder: Path) -> Any:
    return {"folder": folder}


def no_account(folder: Path) -> Watcher:
    raise EnvironmentProblem("nobody is logged in: run `book login`")


def of(kind: Callable[..., Watcher]) -> Callable[[Path], Watcher]:
    return lambda folder: kind()


wants_scores, one_at_a_time, from_the_first = of(WantsScores), of(OneAtATime), of(FromTheFirst)
takes, leaves_a_thread, gradients_off = of(Takes), of(LeavesAThread), of(LeavesGradientsOff)
writes_into_units, ends_the_process = WritesIntoUnits, EndsTheProcess
