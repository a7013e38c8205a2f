"""From the dataset's own files to clips."""

from pathlib import Path

from benchmark.datasets.list_files import emotion, find_folder, read_table
from benchmark.errors import IntegrityError
from benchmark.specs import Clip
from my_plugin import CLASSES, LAYOUT

LIST = "labels.csv"
COLUMNS = ["clip", "emotion", "part"]


def find(data_root: Path) -> Path | None:
    """The dataset's root: `data_root` itself, or a folder in it named after the dataset (in any case)."""
    return find_folder(data_root, (LAYOUT.name,), LIST)


def read(root: Path, votes: bool) -> list[Clip]:
    """The clips, ordered by id. Labels become canonical names, never indices.

    Raises EnvironmentProblem when the list is missing, IntegrityError when it is not of the form in `LAYOUT.tree`.
    """
    header, rows = read_table(root / LIST)
    if header != COLUMNS:
        raise IntegrityError(f"{root / LIST}: its columns are {header}, not {COLUMNS}")
    clips = {}
    for number, (name, label, part) in rows:
        where = f"{root / LIST}: line {number}"
        if part not in ("train", "val", "test"):
            raise IntegrityError(f"{where}: '{part}' is none of train, val and test")
        if name in clips:
            raise IntegrityError(f"{where}: clip {name} is there twice")
        clips[name] = Clip(name, emotion(label, CLASSES, where), {"videos": f"clips/{name}.mp4"}, {1: part})
    return [clips[name] for name in sorted(clips)]
