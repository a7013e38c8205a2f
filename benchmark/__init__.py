"""A benchmark for dynamic facial expression recognition (DFER): any method, one honest protocol, one leaderboard.

The functions below are what the command line, the tests and notebooks use. Each is imported when it is first asked for,
so that nobody pays for torch who does not train.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

from benchmark.hookspecs import hookimpl
from benchmark.version import __version__

if TYPE_CHECKING:
    from benchmark.library.compare import compare
    from benchmark.library.draw import draw
    from benchmark.library.latency import latency
    from benchmark.library.load import load
    from benchmark.library.plot import plot, plot_methods
    from benchmark.library.predict import predict
    from benchmark.library.prepare import prepare
    from benchmark.library.pretrain import PretrainingRequest, pretrain
    from benchmark.library.prune import prune
    from benchmark.library.robustness import robustness
    from benchmark.library.run import run
    from benchmark.library.score import score
    from benchmark.library.status import status
    from benchmark.library.submit import submit
    from benchmark.library.sweep import sweep
    from benchmark.library.track import track
    from benchmark.library.unlabelled import unlabelled
    from benchmark.planning.request import Request, Variant
    from benchmark.planning.sweep_plan import Choices
    from benchmark.running.machine import Resources
    from benchmark.training.model import build_model, logits
    from benchmark.watcher import Watcher

_PLACES = {
    "Choices": "benchmark.planning.sweep_plan",
    "PretrainingRequest": "benchmark.library.pretrain",
    "Request": "benchmark.planning.request",
    "Resources": "benchmark.running.machine",
    "Variant": "benchmark.planning.request",
    "Watcher": "benchmark.watcher",
    "build_model": "benchmark.training.model",
    "compare": "benchmark.library.compare",
    "draw": "benchmark.library.draw",
    "latency": "benchmark.library.latency",
    "load": "benchmark.library.load",
    "logits": "benchmark.training.model",
    "plot": "benchmark.library.plot",
    "plot_methods": "benchmark.library.plot",
    "predict": "benchmark.library.predict",
    "prepare": "benchmark.library.prepare",
    "pretrain": "benchmark.library.pretrain",
    "prune": "benchmark.library.prune",
    "robustness": "benchmark.library.robustness",
    "run": "benchmark.library.run",
    "score": "benchmark.library.score",
    "status": "benchmark.library.status",
    "submit": "benchmark.library.submit",
    "sweep": "benchmark.library.sweep",
    "track": "benchmark.library.track",
    "unlabelled": "benchmark.library.unlabelled",
}
__all__ = [
    "Choices",
    "PretrainingRequest",
    "Request",
    "Resources",
    "Variant",
    "Watcher",
    "__version__",
    "build_model",
    "compare",
    "draw",
    "hookimpl",
    "latency",
    "load",
    "logits",
    "plot",
    "plot_methods",
    "predict",
    "prepare",
    "pretrain",
    "prune",
    "robustness",
    "run",
    "score",
    "status",
    "submit",
    "sweep",
    "track",
    "unlabelled",
]

# OpenCV asks once, when it is first imported, how many pixels it may decode: a small file can promise billions.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**26))

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name in _PLACES:
            return getattr(importlib.import_module(_PLACES[name]), name)
        raise AttributeError(f"module 'benchmark' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
