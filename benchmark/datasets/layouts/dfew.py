"""DFEW as distributed: fold lists with 1-based labels, JPEG face crops, source videos, ten annotators' votes."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from benchmark.datasets.list_files import ClipLists, find_folder, read_table, read_votes_workbook, vote_row
from benchmark.errors import EnvironmentProblem, IntegrityError
from benchmark.specs import Clip, DatasetLayout

# Index + 1 is the label written in the official lists; the votes' columns come in the same order.
CLASSES = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
FOLDS = (1, 2, 3, 4, 5)
LISTS = "EmoLabel_DataSplit"
# The archive's name has an underscore, the folder that every code base reads has a hyphen, old copies have neither.
LIST_FOLDERS = ("{part}(single-labeled)", "{part}(single_labeled)", "{part}")
# A list this long that lacks a class is not an official one.
LONG_LIST = 100
VOTES = "Annotation/annotation.xlsx"
VOTE_COLUMNS = {name: f"{index}{name}" for index, name in enumerate(CLASSES, start=1)}
ANNOTATORS = 10
_NAME, _LABEL = re.compile(r"\d{1,9}"), re.compile(r"-?\d{1,9}")


def find(data_root: Path) -> Path | None:
    """The dataset's root: `data_root` itself, or a folder in it named DFEW (in any case)."""
    return find_folder(data_root, ("dfew",), LISTS)


def read(root: Path, votes: bool) -> list[Clip]:
    """The clip table, ordered by id; `votes` also reads the annotators' votes.

    Raises EnvironmentProblem for a missing file and IntegrityError for one that contradicts the official format.
    """
    lists = ClipLists()
    for fold in FOLDS:
        for part in ("train", "test"):
            for clip_id, label, where in _read_list(_list_path(root, part, fold)):
                lists.add(clip_id, label, fold, part, where)
    vote_table = _read_votes(root / VOTES, lists.labels) if votes else {}
    return [
        Clip(clip_id, lists.labels[clip_id], _frames(root, clip_id), lists.parts[clip_id], vote_table.get(clip_id))
        for clip_id in sorted(lists.labels)
    ]


def read_unlabelled(root: Path) -> list[Clip]:
    """The clips that have votes and are in no list: those without a single label, and labelled ones that lost theirs.

    Raises as `read`.
    """
    listed = {clip.id for clip in read(root, votes=False)}
    votes = _votes_where(root / VOTES, lambda clip_id: clip_id not in listed)
    return [Clip(name, "", _frames(root, name), {}, votes[name]) for name in sorted(votes)]


def _list_path(root: Path, part: str, fold: int) -> Path:
    folders = [root / LISTS / folder.format(part=part) for folder in LIST_FOLDERS]
    for folder in folders:
        if (folder / f"set_{fold}.csv").is_file():
            return folder / f"set_{fold}.csv"
    for folder in folders:
        other = folder / f"{part}_set_{fold}.csv"
        if other.is_file():
            raise IntegrityError(
                f"{other}: lists named {other.name} come from other repositories and may be numbered 0..6; use the "
                f"official set_{fold}.csv"
            )
    raise EnvironmentProblem(
        f"DFEW: fold list missing: {folders[0] / f'set_{fold}.csv'}; `benchmark show dfew` prints the expected tree"
    )


def _read_list(path: Path) -> Iterator[tuple[str, str, str]]:
    """Five-digit clip id, emotion name, and where they stand."""
    header, rows = read_table(path)
    if header != ["video_name", "label"]:
        raise IntegrityError(f"{path}: line 1: expected the header 'video_name,label', got {','.join(header)!r}")
    if any(label and not label.strip("0") for _, (_, label) in rows):
        raise IntegrityError(
            f"{path}: holds label 0, so its labels are not DFEW's official 1..7 (some repositories ship lists "
            "renumbered to 0..6 under the same folder names); use the lists distributed with DFEW"
        )
    largest = 0
    file = str(path)
    for number, (name, label) in rows:
        where = f"{file}: line {number}"
        if not (_NAME.fullmatch(name) and _LABEL.fullmatch(label)):
            raise IntegrityError(f"{where}: expected 'video_name,label' with two numbers, got {name + ',' + label!r}")
        clip_id, index = f"{int(name):05d}", int(label)
        if not 1 <= index <= len(CLASSES):
            raise IntegrityError(f"{where}: clip {clip_id} has label {index}, outside 1..{len(CLASSES)}")
        largest = max(largest, index)
        yield clip_id, CLASSES[index - 1], where
    if len(rows) >= LONG_LIST and largest < len(CLASSES):
        raise IntegrityError(
            f"{path}: {len(rows)} labels from 1 to {largest} are neither 0..6 nor 1..7, so their numbering is unknown; "
            "use the lists distributed with DFEW"
        )


def _read_votes(path: Path, wanted: Collection[str]) -> dict[str, dict[str, float]]:
    """Votes of the clips in `wanted`."""
    table = _votes_where(path, lambda clip_id: clip_id in wanted)
    without = sorted(set(wanted) - set(table))
    if without:
        raise IntegrityError(f"{path}: no votes for clip {without[0]} and {len(without) - 1} more")
    return table


def _votes_where(path: Path, wanted: Callable[[str], bool]) -> dict[str, dict[str, float]]:
    """Votes of the clips that are wanted, by the column `order` (the rows of this file are in no list's order)."""
    table: dict[str, dict[str, float]] = {}
    for number, order, cells in read_votes_workbook(path, "dfew", "order", VOTE_COLUMNS):
        where = f"{path}: row {number}"
        match = re.fullmatch(r"(\d{1,9})(\.0)?", order)
        if not match:
            raise IntegrityError(f"{where}: '{order}' in the column 'order' is not a clip's number")
        clip_id = f"{int(match[1]):05d}"
        if not wanted(clip_id):
            continue
        if clip_id in table:
            raise IntegrityError(f"{where}: clip {clip_id} is there twice")
        table[clip_id] = vote_row(cells, f"{where}: clip {clip_id}")
        if sum(table[clip_id].values()) != ANNOTATORS:
            votes = list(table[clip_id].values())
            raise IntegrityError(f"{where}: clip {clip_id}: votes {votes} do not sum to {ANNOTATORS}")
    return table


def _frames(root: Path, clip_id: str) -> dict[str, str]:
    """Each source's location, whether or not it exists: reading reports what is missing, by clip."""
    sixteen = "Clip/clip_224x224_16f" if (root / "Clip/clip_224x224_16f").is_dir() else "Clip/clip_224x16f"
    return {
        "clip_224x224": f"Clip/clip_224x224/{clip_id}",
        "clip_224x224_16f": f"{sixteen}/{clip_id}",
        "original": f"Clip/original/{int(clip_id)}.mp4",
    }


def _expected() -> dict[int, dict[str, dict[str, object]]]:
    sizes = {1: (9356, 2341), 2: (9356, 2341), 3: (9357, 2340), 4: (9358, 2339), 5: (9361, 2336)}
    expected: dict[int, dict[str, dict[str, object]]] = {
        fold: {"train": {"clips": train}, "test": {"clips": test}} for fold, (train, test) in sizes.items()
    }
    expected[1]["train"]["per_class"] = dict(zip(CLASSES, (1956, 1515, 2135, 1738, 1175, 116, 721), strict=True))
    expected[1]["test"]["per_class"] = dict(zip(CLASSES, (489, 379, 534, 435, 294, 29, 181), strict=True))
    return expected


LAYOUT = DatasetLayout(
    name="dfew",
    title="DFEW, dynamic facial expressions in the wild",
    citation="Jiang et al., DFEW: A Large-Scale Database for Recognizing Dynamic Facial Expressions in the Wild, "
    "ACM MM 2020",
    licence="research only, under a signed agreement; no redistribution",
    obtain="Ask the authors: sign the agreement on the dataset's project page (search for 'DFEW dynamic facial "
    "expression in-the-wild'); they send download links and passwords. Unpack everything into one folder.",
    tree="""\
DFEW/
  EmoLabel_DataSplit/train(single-labeled)/set_{1..5}.csv    video_name,label with labels 1..7
  EmoLabel_DataSplit/test(single-labeled)/set_{1..5}.csv
  Annotation/annotation.xlsx                                 ten annotators' votes (soft labels only)
  Clip/clip_224x224/00001/*.jpg                              face crops, variable length
  Clip/clip_224x224_16f/00001/*.jpg                          face crops, interpolated to 16 frames
  Clip/original/1.mp4                                        source videos""",
    classes=CLASSES,
    frame_sources=("clip_224x224", "clip_224x224_16f", "original"),
    find=f"{__name__}:find",
    read=f"{__name__}:read",
    read_unlabelled=f"{__name__}:read_unlabelled",
    synthesize="benchmark.datasets.synthetic.dfew:synthesize",
    lists=("EmoLabel_DataSplit/*/set_*.csv", "Annotation/annotation.xlsx"),
    votes=True,
    votes_decide=True,
    expected=_expected(),
)
