"""A dataset's clip table as its layout reads it, which may be foreign code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark.fence import PluginFault, fenced, load_object
from benchmark.plugin_functions import ReadDataset
from benchmark.specs import Clip, DatasetLayout


def read_clips(layout: DatasetLayout, root: Path, votes: bool) -> list[Clip]:
    """The clips under `root`, see `DatasetLayout.read`; PluginFault if what the layout gives is no list of clips."""
    function: ReadDataset = load_object(layout.read)
    clips = function(root, votes)
    with fenced(layout.read):
        if not isinstance(clips, list):
            raise PluginFault(f"{layout.read}: gave {type(clips).__name__}, not a list of clips")
        for number, clip in enumerate(clips):
            if not _sound(clip, layout):
                raise PluginFault(f"{layout.read}: number {number} of what it gave is not a whole clip: {clip!r:.200}")
    return clips


def _sound(clip: Any, layout: DatasetLayout) -> bool:
    return (
        type(clip) is Clip
        and type(clip.id) is type(clip.label) is str
        and bool(clip.id and clip.label)
        and isinstance(clip.parts, Mapping)
        and all(type(clip.frames.get(source)) is str for source in layout.frame_sources)
    )
