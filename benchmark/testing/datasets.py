"""Checks of a dataset's layout, on made-up content that it writes itself, or on a copy of the dataset."""

from __future__ import annotations

import functools
import tempfile
from collections import Counter
from pathlib import Path

from benchmark.datasets.clips import read_clips
from benchmark.datasets.counts import part_counts, unexpected
from benchmark.emotions import canonical
from benchmark.planning.data import find_root, list_files
from benchmark.plugin_functions import synthesize_dataset
from benchmark.specs import Clip, DatasetLayout
from benchmark.testing.check import Skipped, require

CLIPS, SEED = 40, 0
# What annotation files are called.
LISTS = (".csv", ".tsv", ".txt", ".xls", ".xlsx")


class DatasetChecks:
    """Of one layout; `data_root`, if given, is where a real copy lies."""

    def __init__(self, layout: DatasetLayout, data_root: Path | None) -> None:
        self.layout, self.data_root = layout, data_root

    @functools.cached_property
    def _temporary(self) -> tempfile.TemporaryDirectory[str]:
        return tempfile.TemporaryDirectory(prefix="check-plugin-")

    @functools.cached_property
    def made(self) -> Path:
        """A data root with made-up content."""
        place = Path(self._temporary.name) / "data"
        synthesize_dataset(self.layout, place / self.layout.name, CLIPS, SEED, lambda done, total: None)
        return place

    @functools.cached_property
    def root(self) -> Path:
        """The dataset's root: the real one, or the made-up one."""
        return find_root(self.layout, self.data_root or self.made)

    @functools.cached_property
    def clips(self) -> list[Clip]:
        """What the layout reads, with votes where it has any."""
        return read_clips(self.layout, self.root, self.layout.votes)

    def found(self) -> None:
        """It finds what it wrote, and says so where nothing is."""
        require(self.root.is_dir(), f"find() gave {self.root}, which is no folder")
        with tempfile.TemporaryDirectory() as empty:
            from benchmark.plugin_functions import find_dataset

            require(find_dataset(self.layout, Path(empty)) is None, "find() finds the dataset in an empty folder")

    def read(self) -> None:
        """Its clips are there, ordered by ids that are unique."""
        require(self.clips, "read() gives no clip")
        ids = [clip.id for clip in self.clips]
        twice = [name for name, count in Counter(ids).items() if count > 1]
        require(not twice, f"{len(twice)} ids are there twice, the first is {''.join(twice[:1])}")
        require(ids == sorted(ids), "read() gives clips in another order than that of their ids")
        again = read_clips(self.layout, self.root, self.layout.votes)
        require(again == self.clips, "read() gives something else the second time")

    def labels(self) -> None:
        """Labels are emotions under their one name, and classes of the dataset."""
        names = {clip.label for clip in self.clips} | {
            label for clip in self.clips for label in (clip.frame_labels or {}).values()
        }
        odd = sorted(name for name in names if canonical(name) != name)
        require(
            not odd,
            f"the label '{''.join(odd[:1])}' is called '{canonical(odd[0]) if odd else ''}' here: pass labels through "
            "benchmark.emotions.canonical",
        )
        foreign = sorted(names - set(self.layout.classes)) if self.layout.classes else []
        require(not foreign, f"the label '{''.join(foreign[:1])}' is none of `classes` {list(self.layout.classes)}")

    def frames(self) -> None:
        """Every clip has its frames where it says, in every form."""
        for source in self.layout.frame_sources:
            missing = [clip for clip in self.clips if not (self.root / clip.frames[source]).exists()]
            present = len(self.clips) - len(missing)
            first = missing[0].frames[source] if missing else ""
            require(
                not missing or (self.data_root and not present),
                f"{len(missing)} clips have no frames of '{source}', the first at {first}",
            )

    def lists(self) -> None:
        """The annotation files are those that `lists` names, so that they can be closed while a model trains."""
        if not self.layout.lists:
            # In a real copy people keep all sorts of notes and tables.
            drawn = [] if self.data_root else sorted(self.root.rglob("*"))
            found = [path for path in drawn if path.suffix.lower() in LISTS]
            require(not found, f"`lists` is empty, but there is {found[0] if found else ''}")
            raise Skipped("there are none: labels are in the names of files or folders")
        require(
            list_files(self.layout, self.root),
            f"`lists` {list(self.layout.lists)} names no file under {self.root}: it says which files hold labels, and "
            "these are closed to what is trained",
        )

    def votes(self) -> None:
        """A dataset with votes has some for every clip; one decided by them has the label that got most."""
        if not self.layout.votes:
            raise Skipped("the layout says that there are none")
        without = [clip.id for clip in self.clips if not clip.votes or sum(clip.votes.values()) <= 0]
        require(not without, f"{len(without)} clips have no votes, the first is {''.join(without[:1])}")
        if self.layout.votes_decide:
            other = [c.id for c in self.clips if c.votes and c.votes.get(c.label, 0) < max(c.votes.values())]
            require(not other, f"{len(other)} labels are not the most voted emotion, the first of {''.join(other[:1])}")

    def repeatable(self) -> None:
        """The same number of clips and seed write the same lists."""
        with tempfile.TemporaryDirectory() as place:
            other = Path(place) / self.layout.name
            synthesize_dataset(self.layout, other, CLIPS, SEED, lambda done, total: None)
            made = find_root(self.layout, self.made)
            again = find_root(self.layout, Path(place))
            require(
                read_clips(self.layout, made, self.layout.votes) == read_clips(self.layout, again, self.layout.votes),
                "synthesize() writes something else the second time, from the same seed",
            )

    def counts(self) -> None:
        """A copy of the dataset has the clips that the official lists have."""
        if self.data_root is None:
            raise Skipped("needs the dataset: say where it is with --data-root")
        differences = unexpected(self.layout, part_counts(self.clips, self.layout.classes))
        require(not differences, "; ".join(differences[:3]))
