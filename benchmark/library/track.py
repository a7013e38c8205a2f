"""`benchmark.track`: following a run in TensorBoard, Weights & Biases or what a plugin offers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmark.fence import PluginFault, load_object
from benchmark.registry import registry
from benchmark.specs import TrackerSpec
from benchmark.trackers.together import Together
from benchmark.watcher import MakeWatcher, Watcher


def track(trackers: Iterable[str], folder: Path | str, watcher: Watcher | None = None) -> Watcher:
    """A watcher that tells the trackers called so, and `watcher` too; for the `watcher` of `run`, `sweep`, `pretrain`.

    folder: where the units lie, as `runs` of `run` or `output` of `pretrain`. Raises UsageError for an unknown tracker,
    EnvironmentProblem for one whose package is missing; once a run has begun, a tracker that fails is only left out.
    """
    specs = [registry().find("trackers", name) for name in dict.fromkeys(trackers)]
    told = {spec.name: _watcher(spec, Path(folder)) for spec in specs}
    return Together(watcher or Watcher(), told) if told else watcher or Watcher()


def _watcher(spec: TrackerSpec, folder: Path) -> Watcher:
    function: MakeWatcher = load_object(spec.watcher)
    watcher = function(folder)
    if not isinstance(watcher, Watcher):
        raise PluginFault(f"{spec.watcher}: gave {type(watcher).__name__}, not a Watcher")
    return watcher
