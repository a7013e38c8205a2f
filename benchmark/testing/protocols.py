"""Checks of a protocol: a sound file, a dataset that has what it speaks of, and a unit that runs under it."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from benchmark.datasets.splits import SPLITS
from benchmark.planning.data import Data, load_data
from benchmark.planning.demo import datasets_of, demo, demo_data
from benchmark.planning.request import Request, Variant, find_protocol
from benchmark.protocol import Protocol
from benchmark.registry import registry
from benchmark.testing.check import require
from benchmark.watcher import Watcher


class ProtocolChecks:
    """Of one protocol, on made-up clips of its dataset."""

    def __init__(self, name: str) -> None:
        self.name = name

    @functools.cached_property
    def protocol(self) -> Protocol:
        """As it is read; raises what is wrong with it."""
        return find_protocol(self.name)

    @functools.cached_property
    def data(self) -> Data:
        """Its folds on made-up clips."""
        root = demo_data(datasets_of([self.protocol]), Watcher())
        return load_data(self.protocol, root, votes=False)

    def valid(self) -> None:
        """The file is read, and its name is its file's."""
        path = registry().find("protocols", self.name)
        require(self.protocol.name == path.stem, f"{path}: its name is '{self.protocol.name}', not '{path.stem}'")

    def splits(self) -> None:
        """Every fold has clips to learn from and to be tested on, and no clip is on two sides."""
        for number, fold in self.data.folds.items():
            require(
                fold.train and fold.test,
                f"fold {number} has {len(fold.train)} clips to train on, {len(fold.test)} to test",
            )
            if self.protocol.test_on is None:
                sides = {name: {clip.id for clip in fold.split(name)} for name in SPLITS}
                both = sides["train"] & sides["test"] | sides["val"] & sides["test"] | sides["train"] & sides["val"]
                require(
                    not both or self.protocol.selection.policy != "val",
                    f"fold {number}: {len(both)} clips are on two sides, the first is {''.join(sorted(both)[:1])}",
                )

    def runs(self) -> None:
        """A unit runs under it to its record."""
        from benchmark.library.run import run

        folds, limit = (self.protocol.folds[0],), 8 * len(self.protocol.classes)
        first = Variant(demo().rows[0]["method"])
        request = Request(self.name, (first,), "small", folds, settings=("epochs=1",), limit=limit)
        with tempfile.TemporaryDirectory(prefix="check-plugin-") as place:
            (record,) = run(request, demo=True, runs=Path(place))
        reasons = [unit.error for unit in record.failed]
        require(len(record.units) == 1, f"a unit of {first.method} fails: {''.join(map(str, reasons[:1]))}")
