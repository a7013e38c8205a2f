"""MAFW's compound set: five folds of 43 classes, the eleven single emotions and compounds such as `angry_disgust`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmark.datasets.layouts import mafw
from benchmark.datasets.list_files import emotion, find_folder
from benchmark.specs import Clip


def find(data_root: Path) -> Path | None:
    """MAFW's root: `data_root` itself, or a folder in it named MAFW-compound or MAFW (in any case)."""
    return find_folder(data_root, ("mafw-compound",), mafw.LISTS) or mafw.find(data_root)


def read(root: Path, votes: bool) -> list[Clip]:
    """The clip table, ordered by id; MAFW's votes are for single emotions, so there are none here.

    Raises EnvironmentProblem for a missing list and IntegrityError for one that contradicts the official format.
    """
    return mafw.clip_table(mafw.read_lists(root, "compound", "mafw-compound", _compound), {})


def _compound(text: str, where: str) -> str:
    """Its emotions' canonical names in the list's own order, which is part of the class's name."""
    return "_".join(emotion(part, mafw.CLASSES, where) for part in text.split("_"))


_SIZES = {1: (7178, 1818), 2: (7187, 1809), 3: (7198, 1798), 4: (7208, 1788), 5: (7213, 1783)}

LAYOUT = replace(
    mafw.LAYOUT,
    name="mafw-compound",
    videos_of=mafw.LAYOUT.name,
    title="MAFW, multi-modal affect in the wild: 43 single and compound emotions",
    tree="""\
MAFW/
  Train & Test Set/compound/no_caption/set_{1..5}/{train,test}.txt  lines '00025.mp4 anger_disgust'
  data/faces/00025/*.jpg                                            aligned face crops, which you make yourself
  data/frames/00025/*.jpg                                           whole frames
  data/clips/00025.mp4                                              source videos""",
    classes=(),
    find=f"{__name__}:find",
    read=f"{__name__}:read",
    synthesize="benchmark.datasets.synthetic.mafw_compound:synthesize",
    lists=("Train & Test Set/compound/no_caption/set_*/*.txt",),
    votes=False,
    expected={fold: {"train": {"clips": train}, "test": {"clips": test}} for fold, (train, test) in _SIZES.items()},
)
