"""What several layouts need to read folders and lists."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from benchmark.emotions import canonical
from benchmark.errors import IntegrityError


def find_folder(data_root: Path, names: Sequence[str], witness: str) -> Path | None:
    """The folder that holds `witness`: `data_root` itself, or one in it called one of `names` (in any case)."""
    candidates = [data_root]
    if data_root.is_dir():
        candidates += sorted(path for path in data_root.iterdir() if path.name.lower() in names)
    return next((path for path in candidates if (path / witness).exists()), None)


def emotion(text: str, classes: Sequence[str], where: str) -> str:
    """The canonical name of an emotion, which must be one of `classes`; else IntegrityError, beginning with `where`."""
    name = canonical(text)
    if name in classes:
        return name
    near = difflib.get_close_matches(name, classes, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"expected one of {', '.join(classes)}"
    raise IntegrityError(f"{where}: '{text}' is not an emotion of this dataset; {hint}")
