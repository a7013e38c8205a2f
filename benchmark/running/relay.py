"""Watching what happens in another process."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from benchmark.specs import ReportProgress
from benchmark.watcher import Watcher


class Sender(Watcher):
    """A watcher in a worker: `send(name, arguments)` takes what it is told to the caller's process."""

    def __init__(self, send: Callable[[str, tuple[Any, ...]], None]) -> None:
        self._send = send

    def note(self, *arguments: Any) -> None:
        """See `Watcher`."""
        self._send("note", arguments)

    @contextlib.contextmanager
    def counting(self, what: str) -> Iterator[ReportProgress]:
        """See `Watcher`."""
        self._send("counting", (what,))
        yield lambda done, total: self._send("counted", (done, total))
        self._send("counted", (None, None))

    def started(self, *arguments: Any) -> None:
        """See `Watcher`."""
        self._send("started", arguments)

    def step(self, *arguments: Any) -> None:
        """See `Watcher`."""
        self._send("step", arguments)

    def epoch(self, *arguments: Any) -> None:
        """See `Watcher`."""
        self._send("epoch", arguments)

    def predicting(self, *arguments: Any) -> None:
        """See `Watcher`."""
        self._send("predicting", arguments)

    def scored(self, *arguments: Any) -> None:
        """See `Watcher`."""
        self._send("scored", arguments)

    def finished_elsewhere(self, *arguments: Any) -> None:
        """See `Watcher`."""
        self._send("finished_elsewhere", arguments)

    def pretraining_epoch(self, *arguments: Any) -> None:
        """See `Watcher`."""
        self._send("pretraining_epoch", arguments)


class Receiver:
    """Passes on to `watcher` what a `Sender` sent."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._counting = contextlib.ExitStack()
        self._report: ReportProgress = lambda done, total: None

    def tell(self, name: str, arguments: tuple[Any, ...]) -> None:
        """What arrived."""
        if name == "counting":
            self._report = self._counting.enter_context(self._watcher.counting(*arguments))
        elif name != "counted":
            getattr(self._watcher, name)(*arguments)
        elif arguments[0] is None:
            self._counting.close()
        else:
            self._report(*arguments)
