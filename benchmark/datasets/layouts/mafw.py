"""MAFW as distributed: five folds of single labels (eleven emotions), frames, videos, annotators' votes.

Only the lists in `no_caption` are read. Those in `with_caption` leave out every neutral clip and are another benchmark.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from pathlib import Path

from benchmark.datasets.list_files import (
    ClipLists,
    emotion,
    find_folder,
    read_lines,
    read_votes_workbook,
    vote_row,
)
from benchmark.emotions import canonical
from benchmark.errors import IntegrityError
from benchmark.specs import Clip, DatasetLayout

# The official order; the lists hold names.
CLASSES = (
    "angry",
    "disgust",
    "fear",
    "happy",
    "neutral",
    "sad",
    "surprise",
    "contempt",
    "anxiety",
    "helplessness",
    "disappointment",
)
FOLDS = (1, 2, 3, 4, 5)
LISTS = "Train & Test Set"
VOTES = "Labels/annotation.xlsx"
# MAFW's captioned lists are GBK text, so a copy of these may be too.
ENCODINGS = ("utf-8-sig", "gb18030")
FRAME_SOURCES = ("faces", "frames", "clips")
_LINE = re.compile(r"(\d{1,5})\.mp4 +(\S+)")


def find(data_root: Path) -> Path | None:
    """The dataset's root: `data_root` itself, or a folder in it named MAFW (in any case)."""
    return find_folder(data_root, ("mafw",), LISTS)


def read(root: Path, votes: bool) -> list[Clip]:
    """The clip table of the single-labelled set, ordered by id; `votes` also reads the annotators' votes.

    Raises EnvironmentProblem for a missing file and IntegrityError for one that contradicts the official format.
    """
    lists = read_lists(root, "single", "mafw", lambda text, where: emotion(text, CLASSES, where))
    return clip_table(lists, _read_votes(root / VOTES, lists.labels) if votes else {})


def read_unlabelled(root: Path) -> list[Clip]:
    """The clips that have votes and are not in the single-labelled set; raises as `read`."""
    lists = read_lists(root, "single", "mafw", lambda text, where: emotion(text, CLASSES, where))
    votes = _votes_where(root / VOTES, lambda clip_id: clip_id not in lists.labels)
    return [Clip(name, "", _frames(name), {}, votes[name]) for name in sorted(votes)]


def read_lists(root: Path, kind: str, dataset: str, name_of: Callable[[str, str], str]) -> ClipLists:
    """All fold lists of one kind, `single` or `compound`; `name_of(text, where)` makes a label of its text."""
    lists = ClipLists()
    for fold in FOLDS:
        for part in ("train", "test"):
            path = root / LISTS / kind / "no_caption" / f"set_{fold}" / f"{part}.txt"
            for number, line in read_lines(path, dataset, ENCODINGS):
                where = f"{path}: line {number}"
                if "\t" in line:
                    raise IntegrityError(
                        f"{where}: separated by a tab, as in the lists of 'with_caption', which leave out every "
                        "neutral clip and are another benchmark; use the official lists of 'no_caption'"
                    )
                match = _LINE.fullmatch(line)
                if not match:
                    raise IntegrityError(f"{where}: expected a line like '00025.mp4 anger', got {line!r}")
                lists.add(_clip_id(match[1]), name_of(match[2], where), fold, part, where)
    return lists


def clip_table(lists: ClipLists, votes: dict[str, dict[str, float]]) -> list[Clip]:
    """The clips, ordered by id, with each frame source's location, whether or not it exists."""
    return [
        Clip(
            clip_id,
            lists.labels[clip_id],
            _frames(clip_id),
            lists.parts[clip_id],
            votes.get(clip_id),
        )
        for clip_id in sorted(lists.labels)
    ]


def _frames(clip_id: str) -> dict[str, str]:
    return {
        "faces": f"data/faces/{clip_id}",
        "frames": f"data/frames/{clip_id}",
        "clips": f"data/clips/{clip_id}.mp4",
    }


def _clip_id(number: str) -> str:
    return f"{int(number):05d}"


def _read_votes(path: Path, wanted: Collection[str]) -> dict[str, dict[str, float]]:
    """Votes of the clips in `wanted`."""
    table = _votes_where(path, lambda clip_id: clip_id in wanted)
    without = sorted(set(wanted) - set(table))
    if without:
        raise IntegrityError(f"{path}: no votes for clip {without[0]} and {len(without) - 1} more")
    return table


def _votes_where(path: Path, wanted: Callable[[str], bool]) -> dict[str, dict[str, float]]:
    """Votes of the clips that are wanted, by its name.

    Whether the numbers are votes or confidences is not documented, so any that are not negative will do.
    """
    table: dict[str, dict[str, float]] = {}
    columns = {name: name for name in CLASSES}
    for number, clip, cells in read_votes_workbook(path, "mafw", "clip", columns, canonical):
        match = re.fullmatch(r"(\d{1,5})(\.mp4|\.0)?", clip)
        if not match:
            raise IntegrityError(f"{path}: row {number}: '{clip}' is not a clip such as 00025.mp4")
        clip_id = _clip_id(match[1])
        if not wanted(clip_id):
            continue
        if clip_id in table:
            raise IntegrityError(f"{path}: row {number}: clip {clip_id} is there twice")
        table[clip_id] = vote_row(cells, f"{path}: row {number}: clip {clip_id}")
    return table


_SIZES = {1: (7333, 1839), 2: (7335, 1837), 3: (7339, 1833), 4: (7340, 1832), 5: (7341, 1831)}

LAYOUT = DatasetLayout(
    name="mafw",
    title="MAFW, multi-modal affect in the wild: eleven single emotions",
    citation="Liu et al., MAFW: A Large-scale, Multi-modal, Compound Affective Database for Dynamic Facial Expression "
    "Recognition in the Wild, ACM MM 2022",
    licence="non-commercial research only, under a signed agreement; no redistribution",
    obtain="Ask the authors: sign the agreement (PDF) of the repository MAFW-database/MAFW and send it by e-mail. "
    "Unpack everything into one folder. Then cut aligned face crops from the frames into data/faces: published results "
    "are made on face crops, and a model trained on them fails on whole frames.",
    tree="""\
MAFW/
  Train & Test Set/single/no_caption/set_{1..5}/{train,test}.txt    lines '00025.mp4 anger'
  Labels/annotation.xlsx                                            annotators' votes (soft labels only)
  data/faces/00025/*.jpg                                            aligned face crops, which you make yourself
  data/frames/00025/*.jpg                                           whole frames
  data/clips/00025.mp4                                              source videos""",
    classes=CLASSES,
    frame_sources=FRAME_SOURCES,
    find=f"{__name__}:find",
    read=f"{__name__}:read",
    read_unlabelled=f"{__name__}:read_unlabelled",
    synthesize="benchmark.datasets.synthetic.mafw:synthesize",
    lists=("Train & Test Set/single/no_caption/set_*/*.txt", VOTES),
    votes=True,
    expected={fold: {"train": {"clips": train}, "test": {"clips": test}} for fold, (train, test) in _SIZES.items()},
)
