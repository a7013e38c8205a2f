"""RAF-DB's basic emotions as distributed: one list with 1-based labels, aligned faces and original images."""

from __future__ import annotations

import re
from pathlib import Path

from benchmark.datasets.list_files import ClipLists, find_folder, read_lines
from benchmark.errors import IntegrityError
from benchmark.specs import Clip, DatasetLayout

# Index + 1 is the label written in the official list.
CLASSES = ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral")
# The official spelling.
LIST = "basic/EmoLabel/list_patition_label.txt"
_LINE = re.compile(r"((train|test)_\d+)\.jpg\s+(-?\d{1,9})")


def find(data_root: Path) -> Path | None:
    """The dataset's root: `data_root` itself, or a folder in it named RAF-DB, RAFDB or RAF_DB (in any case)."""
    return find_folder(data_root, ("raf-db", "rafdb", "raf_db"), LIST)


def read(root: Path, votes: bool) -> list[Clip]:
    """The images as clips of one frame, ordered by id; the list of basic emotions has no votes.

    Raises EnvironmentProblem for a missing list and IntegrityError for one that contradicts the official format.
    """
    path = root / LIST
    lines = read_lines(path, "raf-db")
    if any(re.search(r"\s0+$", line) for _, line in lines):
        raise IntegrityError(
            f"{path}: holds label 0, so its labels are not RAF-DB's official 1..7 but renumbered from 0; use the list "
            "distributed with RAF-DB"
        )
    lists = ClipLists()
    for number, line in lines:
        where = f"{path}: line {number}"
        match = _LINE.fullmatch(line)
        if not match:
            raise IntegrityError(f"{where}: expected a line like 'train_00001.jpg 5', got {line!r}")
        clip_id, part, label = match.groups()
        if not 1 <= int(label) <= len(CLASSES):
            raise IntegrityError(f"{where}: {clip_id} has label {label}, outside 1..{len(CLASSES)}")
        lists.add(clip_id, CLASSES[int(label) - 1], 1, part, where)
    return [
        Clip(
            clip_id,
            lists.labels[clip_id],
            {
                "aligned": f"basic/Image/aligned/{clip_id}_aligned.jpg",
                "original": f"basic/Image/original/{clip_id}.jpg",
            },
            lists.parts[clip_id],
        )
        for clip_id in sorted(lists.labels)
    ]


LAYOUT = DatasetLayout(
    name="raf-db",
    title="RAF-DB, real-world affective faces: seven basic emotions (images)",
    citation="Li et al., Reliable Crowdsourcing and Deep Locality-Preserving Learning for Expression Recognition in "
    "the Wild, CVPR 2017",
    licence="non-commercial research only, under the dataset's terms; no redistribution",
    obtain="Ask the authors by e-mail from a university address (search for 'RAF-DB real-world affective faces'); they "
    "send the password of the archives. Unpack the folder 'basic' with its archives.",
    tree="""\
RAF-DB/
  basic/EmoLabel/list_patition_label.txt         (sic) lines 'train_00001.jpg 5' with labels 1..7
  basic/Image/aligned/train_00001_aligned.jpg    aligned faces, 100x100
  basic/Image/original/train_00001.jpg           images as collected""",
    classes=CLASSES,
    frame_sources=("aligned", "original"),
    find=f"{__name__}:find",
    read=f"{__name__}:read",
    synthesize="benchmark.datasets.synthetic.raf_db:synthesize",
    lists=(LIST,),
    expected={1: {"train": {"clips": 12271}, "test": {"clips": 3068}}},
)
