"""FERPlus as distributed: ten votes for each FER2013 image, in one table.

The label is the emotion that has more votes than every other column. An image where `unknown` or `NF` (no face) has
the most votes, or where two columns share the first place, has no label and is left out.
"""

from __future__ import annotations

import re
from pathlib import Path

from benchmark.datasets.list_files import ClipLists, find_folder, read_table
from benchmark.emotions import canonical
from benchmark.errors import EnvironmentProblem, IntegrityError
from benchmark.specs import Clip, DatasetLayout

TABLE = "fer2013new.csv"
EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
CLASSES = tuple(map(canonical, EMOTIONS))
HEADER = ["Usage", "Image name", *EMOTIONS, "unknown", "NF"]
ANNOTATORS = 10
# FER2013's own division: part and folder by `Usage`.
PARTS = {
    "Training": ("train", "FER2013Train"),
    "PublicTest": ("val", "FER2013Valid"),
    "PrivateTest": ("test", "FER2013Test"),
}


def find(data_root: Path) -> Path | None:
    """The dataset's root: `data_root` itself, or a folder in it named FERPlus or FER+ (in any case)."""
    return find_folder(data_root, ("ferplus", "fer+"), TABLE)


def read(root: Path, votes: bool) -> list[Clip]:
    """The images that have a label, as clips of one frame, ordered by id; `votes` keeps the votes for emotions.

    Raises EnvironmentProblem for a missing table and IntegrityError for one that contradicts the official format.
    """
    path = root / TABLE
    if not path.is_file():
        raise EnvironmentProblem(f"ferplus: table missing: {path}; `benchmark show ferplus` prints the expected tree")
    header, rows = read_table(path)
    if header != HEADER:
        raise IntegrityError(f"{path}: line 1: expected the header '{','.join(HEADER)}', got '{','.join(header)}'")
    lists = ClipLists()
    images: dict[str, str] = {}
    vote_table: dict[str, dict[str, float]] = {}
    for number, (usage, image, *cells) in rows:
        where = f"{path}: line {number}"
        if usage not in PARTS:
            raise IntegrityError(f"{where}: Usage is '{usage}', expected one of {', '.join(PARTS)}")
        # FER2013's images without a face have no name.
        if not image:
            continue
        counts = _counts(cells, where)
        label = _label(counts)
        if label is None:
            continue
        match = re.fullmatch(r"(\w+)\.png", image)
        if not match:
            raise IntegrityError(f"{where}: expected an image name such as fer0000000.png, got '{image}'")
        part, folder = PARTS[usage]
        lists.add(match[1], label, 1, part, where)
        images[match[1]] = f"data/{folder}/{image}"
        vote_table[match[1]] = dict(zip(CLASSES, map(float, counts), strict=False))
    return [
        Clip(
            clip_id,
            lists.labels[clip_id],
            {"images": images[clip_id]},
            lists.parts[clip_id],
            vote_table[clip_id] if votes else None,
        )
        for clip_id in sorted(images)
    ]


def _counts(cells: list[str], where: str) -> list[int]:
    """The votes of one row, `unknown` and `NF` last. Outliers were removed from some rows, so ten is the most."""
    if not all(re.fullmatch(r"\d{1,9}", cell) for cell in cells):
        raise IntegrityError(f"{where}: votes {', '.join(cells)} are not all whole numbers from 0 on")
    counts = [int(cell) for cell in cells]
    if not 1 <= sum(counts) <= ANNOTATORS:
        raise IntegrityError(f"{where}: {sum(counts)} votes, expected 1..{ANNOTATORS}")
    return counts


def _label(counts: list[int]) -> str | None:
    most = max(counts)
    first = counts.index(most)
    return CLASSES[first] if first < len(CLASSES) and counts.count(most) == 1 else None


LAYOUT = DatasetLayout(
    name="ferplus",
    title="FERPlus, ten annotators' votes on FER2013's images: eight emotions",
    citation="Barsoum et al., Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label "
    "Distribution, ICMI 2016; images: Goodfellow et al., Challenges in Representation Learning, 2013",
    licence="labels MIT; the images under the terms of the FER2013 challenge on Kaggle",
    obtain="The labels are in the repository microsoft/FERPlus, the images in fer2013.csv of Kaggle's 'Challenges in "
    "Representation Learning: Facial Expression Recognition Challenge'; the repository's script writes them as PNGs.",
    tree="""\
FERPlus/
  fer2013new.csv                             Usage, Image name, and votes for ten columns
  data/FER2013Train/fer0000000.png           48x48, Usage Training: train
  data/FER2013Valid/fer0028638.png           Usage PublicTest: val
  data/FER2013Test/fer0032220.png            Usage PrivateTest: test""",
    classes=CLASSES,
    frame_sources=("images",),
    find=f"{__name__}:find",
    read=f"{__name__}:read",
    synthesize="benchmark.datasets.synthetic.ferplus:synthesize",
    lists=(TABLE,),
    votes=True,
    votes_decide=True,
)
