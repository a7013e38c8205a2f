"""The tracker: a CSV file for each unit, with a line for each epoch and value."""

import csv
from collections.abc import Mapping
from pathlib import Path

from benchmark.trackers.curves import Curve, Curves, Tracked


def watcher(folder: Path) -> Curves:
    """What is told of the runs in `folder`."""
    return MyPlugin(folder)


class MyPlugin(Curves):
    """Writes `my-plugin/<unit's folder>.csv` below the folder of all units."""

    def begin(self, tracked: Tracked) -> Curve:
        """A new file, in the place of an earlier one: a unit that goes on is drawn from its first epoch again."""
        return _Table(self.folder / "my-plugin" / f"{tracked.folder}.csv")


class _Table(Curve):
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._path.write_text("epoch,name,value\n", encoding="utf-8")
        self._last = 0

    def log(self, epoch: int, values: Mapping[str, float]) -> None:
        """One epoch's values."""
        self._last = epoch
        with self._path.open("a", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows((epoch, name, value) for name, value in values.items())

    def end(self, result: Mapping[str, float], failed: bool) -> None:
        """The test scores, at the last epoch; there are none where the unit failed or was interrupted."""
        self.log(self._last, result)
