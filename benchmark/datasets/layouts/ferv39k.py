"""FERV39k as distributed: one train and one test list without header, face crops, scene frames, 22 scenes."""

from __future__ import annotations

import re
from pathlib import Path

from benchmark.datasets.list_files import ClipLists, emotion, find_folder, read_lines
from benchmark.errors import IntegrityError
from benchmark.specs import Clip, DatasetLayout

# The lists hold names, so no order is official; this one is DFEW's, which most repositories use.
CLASSES = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
LISTS = "4_setups/All_scenes"
_NAME = r"((?!\.)[^/\s]+)"
_LINE = re.compile(rf"{_NAME}/{_NAME}/{_NAME}\s+(\S+)")


def find(data_root: Path) -> Path | None:
    """The dataset's root: `data_root` itself, or a folder in it named FERV39k (in any case)."""
    return find_folder(data_root, ("ferv39k",), LISTS)


def read(root: Path, votes: bool) -> list[Clip]:
    """The clip table, ordered by id; FERV39k has no votes.

    Raises EnvironmentProblem for a missing list and IntegrityError for one that contradicts the official format.
    """
    lists = ClipLists()
    for part in ("train", "test"):
        path = root / LISTS / f"{part}_All.csv"
        for index, (number, line) in enumerate(read_lines(path, "ferv39k")):
            where = f"{path}: line {number}"
            if index == 0 and "/" not in line:
                raise IntegrityError(
                    f"{where}: the list has a header, {line!r}; the official list has none, and begins with a clip "
                    "such as 'Action/Happy/0015 Happy'. Use the official list"
                )
            lists.add(*_parse(line, where), 1, part, where)
    return [
        Clip(
            clip_id,
            lists.labels[clip_id],
            {"faces": f"2_ClipsforFaceCrop/{clip_id}", "scenes": f"3_ClipsforScenImages/{clip_id}"},
            lists.parts[clip_id],
            attributes={"scene": clip_id.partition("/")[0]},
        )
        for clip_id in sorted(lists.labels)
    ]


def _parse(line: str, where: str) -> tuple[str, str]:
    """Clip id and label of one line; the emotion's folder in the path must say the same."""
    match = _LINE.fullmatch(line)
    if not match:
        raise IntegrityError(f"{where}: expected a line like 'Action/Happy/0015 Happy', got {line!r}")
    scene, folder, clip, label = match.groups()
    if re.fullmatch(r"[-+]?\d+(\.\d*)?", label):
        raise IntegrityError(
            f"{where}: the label is the number {label}, but FERV39k's labels are names. Repositories number them "
            "differently (alphabetically from Angry 0, or in DFEW's order from Happy 0), and nothing in a list tells "
            "which; use the official lists"
        )
    name = emotion(label, CLASSES, where)
    if emotion(folder, CLASSES, where) != name:
        raise IntegrityError(f"{where}: the label is {label}, but the clip is in the folder {folder}")
    return f"{scene}/{folder}/{clip}", name


def _expected() -> dict[int, dict[str, dict[str, object]]]:
    train = dict(zip(CLASSES, (5854, 5523, 7790, 5906, 2502, 1833, 1680), strict=True))
    test = dict(zip(CLASSES, (1473, 1393, 1958, 1487, 638, 467, 431), strict=True))
    return {1: {"train": {"clips": 31088, "per_class": train}, "test": {"clips": 7847, "per_class": test}}}


LAYOUT = DatasetLayout(
    name="ferv39k",
    title="FERV39k, facial expressions in videos of 22 scenes",
    citation="Wang et al., FERV39k: A Large-Scale Multi-Scene Dataset for Facial Expression Recognition in Videos, "
    "CVPR 2022",
    licence="non-commercial research only, under a signed agreement; no redistribution",
    obtain="Ask the authors from a university address with the signed application form of the repository "
    "wangyanckxx/FERV39k; the link that they send is valid for 30 days. Unpack everything into one folder.",
    tree="""\
FERV39k/
  4_setups/All_scenes/{train,test}_All.csv                   no header, lines 'Action/Happy/0015 Happy'
  2_ClipsforFaceCrop/Action/Happy/0015/*.jpg                 face crops
  3_ClipsforScenImages/Action/Happy/0015/*.jpg               scene frames""",
    classes=CLASSES,
    frame_sources=("faces", "scenes"),
    find=f"{__name__}:find",
    read=f"{__name__}:read",
    synthesize="benchmark.datasets.synthetic.ferv39k:synthesize",
    lists=("4_setups/All_scenes/*_All.csv",),
    expected=_expected(),
)
