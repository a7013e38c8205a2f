"""AffectNet as distributed, in 2017 (tables of all manually annotated images) or in 2021 (one file per image)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from benchmark.datasets.list_files import ClipLists, find_folder
from benchmark.errors import EnvironmentProblem, IntegrityError
from benchmark.files import check_regular, is_clutter, read_bounded
from benchmark.specs import Clip, DatasetLayout

# The index is the number written in the annotations.
CLASSES = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt")
# 8 none of these, 9 uncertain, 10 no face.
UNLABELLED = (8, 9, 10)
TABLES = "Manually_Annotated_file_lists"
COLUMNS = [
    "subDirectory_filePath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
]
IMAGE_FILES = "train_set/annotations"
TABLE_PARTS = {"train": "training.csv", "val": "validation.csv"}


def find(data_root: Path) -> Path | None:
    """The dataset's root: `data_root` itself, or a folder in it named AffectNet or AffectNet-8 (in any case).

    Raises IntegrityError when both forms are there.
    """
    names = ("affectnet", "affectnet-8")
    roots = [root for witness in (TABLES, IMAGE_FILES) if (root := find_folder(data_root, names, witness))]
    if len(roots) > 1:
        raise _two_forms(*roots)
    return roots[0] if roots else None


def read(root: Path, votes: bool) -> list[Clip]:
    """The images with one of eight emotions, as clips of one frame, ordered by id; AffectNet has no votes.

    Raises EnvironmentProblem for missing annotations and IntegrityError for some that contradict the official format.
    """
    if (root / TABLES).is_dir() and (root / IMAGE_FILES).is_dir():
        raise _two_forms(root, root)
    annotations = _read_tables if (root / TABLES).is_dir() else _read_image_files
    lists = ClipLists()
    images: dict[str, str] = {}
    for part in TABLE_PARTS:
        for clip_id, image, expression, where in annotations(root, part):
            label = _label(expression, where)
            if label:
                lists.add(clip_id, label, 1, part, where)
                images[clip_id] = image
    return [
        Clip(clip_id, lists.labels[clip_id], {"images": images[clip_id]}, lists.parts[clip_id])
        for clip_id in sorted(images)
    ]


def _two_forms(first: Path, second: Path) -> IntegrityError:
    return IntegrityError(
        f"AffectNet is there in two forms, 2017's {first / TABLES} and 2021's {second / IMAGE_FILES}; their images "
        "overlap and differ, so move one of them out of the data root"
    )


def _label(expression: str, where: str) -> str | None:
    """The emotion of an expression's number; None for an image that was given none."""
    number = int(expression) if re.fullmatch(r"\d{1,9}", expression) else -1
    if number in UNLABELLED:
        return None
    if not 0 <= number < len(CLASSES):
        raise IntegrityError(f"{where}: expression {expression!r} is none of 0..{UNLABELLED[-1]}")
    return CLASSES[number]


def _read_tables(root: Path, part: str) -> Iterator[tuple[str, str, str, str]]:
    """Id, image, expression and where they stand, of the form of 2017."""
    path = root / TABLES / TABLE_PARTS[part]
    if not path.is_file():
        raise _missing(path)
    for number, row in _rows(path):
        where = f"{path}: line {number}"
        # The original validation.csv has no header, and its first row is an image like any other.
        if number == 1 and row == COLUMNS:
            continue
        if number == 1 and COLUMNS[0] in row:
            raise IntegrityError(f"{where}: expected the header '{','.join(COLUMNS)}', or none")
        if len(row) != len(COLUMNS):
            raise IntegrityError(f"{where}: {len(row)} cells, expected {len(COLUMNS)}: {', '.join(COLUMNS)}")
        cells = dict(zip(COLUMNS, row, strict=True))
        image = PurePosixPath(cells["subDirectory_filePath"])
        if not image.suffix or image.is_absolute() or ".." in image.parts:
            raise IntegrityError(f"{where}: expected the path of an image such as 689/a1b2.jpg, got '{image}'")
        yield str(image.with_suffix("")), f"Manually_Annotated_Images/{image}", cells["expression"], where


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The numbered rows, one by one: with all facial landmarks in it, the table is too large to hold."""
    check_regular(path)
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, strict=True)
        try:
            for row in reader:
                if any(map(str.strip, row)):
                    yield reader.line_num, [cell.strip() for cell in row]
        except (csv.Error, UnicodeDecodeError) as error:
            raise IntegrityError(f"{path}: after line {reader.line_num}: not a CSV file in UTF-8: {error}") from None


def _read_image_files(root: Path, part: str) -> Iterator[tuple[str, str, str, str]]:
    """Id, image, expression and where they stand, of the form of 2021."""
    folder = root / f"{part}_set/annotations"
    files = sorted(path for path in folder.glob("*_exp.npy") if not is_clutter(path.name))
    if not files:
        raise _missing(folder / "*_exp.npy")
    for path in files:
        name = path.name.removesuffix("_exp.npy")
        yield f"{part}/{name}", f"{part}_set/images/{name}.jpg", _read_scalar(path), str(path)


def _read_scalar(path: Path) -> str:
    import numpy as np

    try:
        file = io.BytesIO(read_bounded(path, 2**16))
        return str(np.lib.format.read_array(file, allow_pickle=False).item())
    except (ValueError, EOFError, MemoryError) as error:
        raise IntegrityError(f"{path}: not a NumPy file with one number: {error}") from None


def _missing(path: Path) -> EnvironmentProblem:
    return EnvironmentProblem(
        f"affectnet: annotations missing: {path}; `benchmark show affectnet` prints the expected tree"
    )


LAYOUT = DatasetLayout(
    name="affectnet",
    title="AffectNet, images from the web: eight emotions",
    citation="Mollahosseini et al., AffectNet: A Database for Facial Expression, Valence, and Arousal Computing in the "
    "Wild, IEEE Transactions on Affective Computing 2019",
    licence="non-commercial research only, under a signed agreement; no redistribution",
    obtain="Ask the authors: a supervisor signs the agreement on the dataset's page (search for 'AffectNet'); they "
    "send download links. Unpack one of the two forms into one folder.",
    tree="""\
AffectNet/                                                 as of 2017
  Manually_Annotated_file_lists/{training,validation}.csv  with or without header; expression is column 7
  Manually_Annotated_Images/689/a1b2.jpg
AffectNet/                                                 or as of 2021 (AffectNet-8)
  {train,val}_set/annotations/0_exp.npy                    the expression
  {train,val}_set/images/0.jpg""",
    classes=CLASSES,
    frame_sources=("images",),
    find=f"{__name__}:find",
    read=f"{__name__}:read",
    synthesize="benchmark.datasets.synthetic.affectnet:synthesize",
    # Not 2021's hundreds of thousands of files, each of which holds one label.
    lists=(f"{TABLES}/*.csv",),
)
