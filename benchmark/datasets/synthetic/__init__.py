"""Procedurally drawn stand-ins for real datasets, written in the datasets' own file trees."""

from pathlib import Path

# A tree that holds this file is synthetic, and complete: it is written last.
MARKER = "SYNTHETIC.json"


def is_synthetic(root: Path) -> bool:
    """Whether a dataset's root is marked, or lies in a folder that is; no layout is asked."""
    return any((place / MARKER).is_file() for place in (root, root.resolve(), *root.resolve().parents))
