"""`benchmark.prune`: disk space that finished work no longer needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmark.errors import UsageError
from benchmark.finished.pruning import STATES, Pruned, prune_below
from benchmark.library.pretrain import PRETRAINED
from benchmark.library.run import RUNS
from benchmark.records import RECORD
from benchmark.watcher import Watcher

LEADERBOARD = Path("leaderboard")


def prune(places: Sequence[Path | str] = (), *, dry: bool = False, watcher: Watcher | None = None) -> Pruned:
    """Remove what records, `predict` and `reproduce` do not need of the finished work in `places`; says what it was.

    places: folders of runs and of pre-trainings; by default `runs` and `pretrained`. What is named by a record in them,
    or in `leaderboard`, stays, and so does work that a living process holds. dry: nothing is removed.
    """
    usual = [place for place in (RUNS, PRETRAINED) if place.is_dir()]
    chosen = [Path(place) for place in places] or usual
    for place in chosen:
        if not place.is_dir():
            raise UsageError(f"{place}: no such folder of runs")
    with (watcher or Watcher()).counting("looking through finished work") as report:
        return prune_below(chosen, _naming([*chosen, *usual]), dry, report)


def _naming(places: Sequence[Path]) -> Iterator[Path]:
    for place in places:
        for name in (RECORD, *STATES):
            yield from place.rglob(name)
    yield from LEADERBOARD.rglob("*.json")
