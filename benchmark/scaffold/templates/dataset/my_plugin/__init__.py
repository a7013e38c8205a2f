"""My plugin: what the benchmark must know of the dataset, and a protocol. Importing this must not import torch."""

from pathlib import Path

from benchmark import hookimpl
from benchmark.specs import DatasetLayout

CLASSES = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")

LAYOUT = DatasetLayout(
    name="my-plugin",
    title="My plugin",
    citation="Who collected it. Its title. Where it appeared, 2026.",
    licence="what its owners allow",
    obtain="How to get it: whom to ask, or where to download it.",
    tree="""\
my-plugin/
  labels.csv            clip,emotion,part; part is train, val or test
  clips/00001.mp4       one video for each clip""",
    classes=CLASSES,
    frame_sources=("videos",),
    find="my_plugin.layout:find",
    read="my_plugin.layout:read",
    synthesize="my_plugin.synthetic:synthesize",
    lists=("labels.csv",),
    # What the official lists hold, once you know it: {1: {"train": {"clips": 8000}, "test": {"clips": 2000}}}
    expected={},
)


@hookimpl
def benchmark_datasets() -> list[DatasetLayout]:
    """The datasets of this package."""
    return [LAYOUT]


@hookimpl
def benchmark_protocols() -> list[Path]:
    """The protocols of this package."""
    return [Path(__file__).with_name("my-plugin-official.yaml")]
