"""DFEW as distributed: fold lists with 1-based labels, JPEG face crops, source videos, ten annotators' votes."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from benchmark.datasets.layouts.reading import find_folder
from benchmark.errors import EnvironmentProblem, IntegrityError
from benchmark.specs import Clip, DatasetLayout

# Index + 1 is the label written in the official lists; the votes' columns come in the same order.
CLASSES = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
FOLDS = (1, 2, 3, 4, 5)
LISTS = "EmoLabel_DataSplit"
# The archive's name has an underscore, the folder that every code base reads has a hyphen.
LIST_FOLDERS = ("{part}(single-labeled)", "{part}(single_labeled)")
VOTES = "Annotation/annotation.xlsx"
ANNOTATORS = 10


def find(data_root: Path) -> Path | None:
    """The dataset's root: `data_root` itself, or a folder in it named DFEW (in any case)."""
    return find_folder(data_root, ("dfew",), LISTS)


def read(root: Path, votes: bool) -> list[Clip]:
    """The clip table, ordered by id; `votes` also reads the annotators' votes.

    Raises EnvironmentProblem for a missing file and IntegrityError for one that contradicts the official format.
    """
    labels: dict[str, str] = {}
    parts: dict[str, dict[int, str]] = {}
    for fold in FOLDS:
        for part in ("train", "test"):
            path = _list_path(root, part, fold)
            for clip_id, label in _read_list(path):
                if fold in parts.setdefault(clip_id, {}):
                    raise IntegrityError(f"{path}: clip {clip_id} is listed twice in fold {fold}")
                if labels.setdefault(clip_id, label) != label:
                    raise IntegrityError(
                        f"{path}: clip {clip_id} is {label} here and {labels[clip_id]} in another list"
                    )
                parts[clip_id][fold] = part
    vote_table = _read_votes(root / VOTES) if votes else {}
    without = sorted(set(labels) - set(vote_table)) if votes else []
    if without:
        raise IntegrityError(f"{root / VOTES}: no votes for clip {without[0]} and {len(without) - 1} more")
    return [
        Clip(clip_id, labels[clip_id], _frames(root, clip_id), parts[clip_id], vote_table.get(clip_id))
        for clip_id in sorted(labels)
    ]


def _list_path(root: Path, part: str, fold: int) -> Path:
    candidates = [root / LISTS / folder.format(part=part) / f"set_{fold}.csv" for folder in LIST_FOLDERS]
    for path in candidates:
        if path.is_file():
            return path
    raise EnvironmentProblem(
        f"DFEW: fold list missing: {candidates[0]}; `benchmark show dfew` prints the expected tree"
    )


def _read_list(path: Path) -> Iterator[tuple[str, str]]:
    """Pairs of five-digit clip id and emotion name."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        rows = csv.reader(file)
        if next(rows, None) != ["video_name", "label"]:
            raise IntegrityError(f"{path}: line 1: expected the header 'video_name,label'")
        lines = [(number, row) for number, row in enumerate(rows, start=2) if row]
    if any(row[-1].strip() == "0" for _, row in lines):
        raise IntegrityError(
            f"{path}: holds label 0, so its labels are not DFEW's official 1..7 (some repositories ship lists "
            "renumbered to 0..6 under the same folder names); use the lists distributed with DFEW"
        )
    for number, row in lines:
        try:
            name, label = row
            clip_id, index = f"{int(name):05d}", int(label)
        except ValueError:
            raise IntegrityError(f"{path}: line {number}: expected 'video_name,label', got {','.join(row)!r}") from None
        if not 1 <= index <= len(CLASSES):
            raise IntegrityError(f"{path}: line {number}: clip {clip_id} has label {index}, outside 1..{len(CLASSES)}")
        yield clip_id, CLASSES[index - 1]


def _read_votes(path: Path) -> dict[str, dict[str, float]]:
    """Votes by clip id, joined on the column `order` (rows of the lists and of this file are not in step)."""
    import openpyxl

    if not path.is_file():
        raise EnvironmentProblem(f"DFEW: votes missing: {path}; soft labels need it, `--labels hard` does not")
    rows = openpyxl.load_workbook(path, read_only=True).worksheets[0].iter_rows(values_only=True)
    header = [str(cell) for cell in next(rows, ())]
    columns = [f"{index}{name}" for index, name in enumerate(CLASSES, start=1)]
    missing = [name for name in [*columns, "order"] if name not in header]
    if missing:
        raise IntegrityError(f"{path}: columns missing: {', '.join(missing)}")
    where = [header.index(name) for name in columns]
    order = header.index("order")
    table: dict[str, dict[str, float]] = {}
    for row in rows:
        if row[order] is None:
            continue
        clip_id = f"{int(str(row[order])):05d}"
        votes = [float(str(row[column] or 0)) for column in where]
        if min(votes) < 0 or sum(votes) != ANNOTATORS:
            raise IntegrityError(f"{path}: clip {clip_id}: votes {votes} do not sum to {ANNOTATORS}")
        table[clip_id] = dict(zip(CLASSES, votes, strict=True))
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
    synthesize="benchmark.datasets.synthetic.dfew:synthesize",
    lists=("EmoLabel_DataSplit/*/set_*.csv", "Annotation/annotation.xlsx"),
    votes=True,
    expected=_expected(),
)
