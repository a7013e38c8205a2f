"""TensorBoard: an event file for each unit, in `tensorboard/` beside the units; `tensorboard --logdir` shows them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark.errors import EnvironmentProblem
from benchmark.trackers.curves import Curve, Curves, Tracked

FOLDER = "tensorboard"


def watcher(folder: Path) -> Curves:
    """The tracker; EnvironmentProblem where TensorBoard is not installed."""
    try:
        import tensorboard.summary.writer.event_file_writer  # noqa: F401
    except ImportError as error:
        raise EnvironmentProblem(
            f"--track tensorboard needs the package tensorboard: pip install 'dfer-benchmark[tensorboard]' ({error})"
        ) from error
    return TensorBoard(folder)


class TensorBoard(Curves):
    """Writes `tensorboard/<unit's folder>/events.out.tfevents.*` below the folder of all units."""

    def begin(self, tracked: Tracked) -> Curve:
        """A new event file; what earlier ones of the unit say no longer counts."""
        return _EventFile(self.folder / FOLDER / tracked.folder, tracked.config)


class _EventFile(Curve):
    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        from tensorboard.compat.proto.event_pb2 import SessionLog
        from tensorboard.plugins.text.summary_v2 import text_pb
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._writer = EventFileWriter(str(folder))
        self._epoch = 0
        # Readers drop everything from this step on that they have read of this folder before.
        self._add(0, session_log=SessionLog(status=SessionLog.START))
        lines = [f"    {line}" for line in json.dumps(config, indent=2).splitlines()]  # markdown's form of code
        self._add(0, summary=text_pb("config", "\n".join(lines)))
        self._writer.flush()

    def log(self, epoch: int, values: Mapping[str, float]) -> None:
        """One point of each curve."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        self._epoch = epoch
        points = [Summary.Value(tag=name, simple_value=value) for name, value in values.items()]
        self._add(epoch, summary=Summary(value=points))
        self._writer.flush()

    def end(self, result: Mapping[str, float], failed: bool) -> None:
        """The result is a point at the last epoch."""
        if result:
            self.log(self._epoch, result)
        self._writer.close()

    def _add(self, step: int, **content: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._writer.add_event(Event(wall_time=time.time(), step=step, **content))
