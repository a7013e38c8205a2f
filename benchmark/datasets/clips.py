"""A dataset's clip table as its layout reads it, which may be foreign code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark.fence import PluginFault, fenced, load_object
from benchmark.plugin_functions import ReadDataset, ReadUnlabelled
from benchmark.specs import Clip, DatasetLayout


def read_clips(layout: DatasetLayout, root: Path, votes: bool) -> list[Clip]:
    """The clips under `root`, see `DatasetLayout.read`; PluginFault if what the layout gives is no list of clips."""
    function: ReadDataset = load_object(layout.read)
    return _checked(function(root, votes), layout, layout.read, labelled=True)


def read_unlabelled_clips(layout: DatasetLayout, root: Path) -> list[Clip]:
    """The clips under `root` that have votes and no label, see `DatasetLayout.read_unlabelled`; none where it has none.

    PluginFault as for `read_clips`.
    """
    if not layout.read_unlabelled:
        return []
    function: ReadUnlabelled = load_object(layout.read_unlabelled)
    return _checked(function(root), layout, layout.read_unlabelled, labelled=False)


def _checked(clips: Any, layout: DatasetLayout, where: str, labelled: bool) -> list[Clip]:
    with fenced(where):
        if not isinstance(clips, list):
            raise PluginFault(f"{where}: gave {type(clips).__name__}, not a list of clips")
        for number, clip in enumerate(clips):
            if not _sound(clip, layout, labelled):
                raise PluginFault(f"{where}: number {number} of what it gave is not a whole clip: {clip!r:.200}")
    return clips


def _sound(clip: Any, layout: DatasetLayout, labelled: bool) -> bool:
    return (
        type(clip) is Clip
        and type(clip.id) is type(clip.label) is str
        and bool(clip.id)
        and bool(clip.label if labelled else clip.votes)
        and isinstance(clip.parts, Mapping)
        and all(type(clip.frames.get(source)) is str for source in layout.frame_sources)
    )
