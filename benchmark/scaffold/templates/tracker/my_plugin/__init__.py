"""My plugin: what the benchmark must know of it. Importing this must not import torch."""

from benchmark import hookimpl
from benchmark.specs import TrackerSpec

TRACKER = TrackerSpec(name="my-plugin", title="My plugin", watcher="my_plugin.tracker:watcher")


@hookimpl
def benchmark_trackers() -> list[TrackerSpec]:
    """The trackers of this package."""
    return [TRACKER]
