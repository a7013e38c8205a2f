"""Where the files lie that ship with the benchmark: protocols, sweeps, reported tables."""

from __future__ import annotations

from pathlib import Path


def shipped(folder: str) -> Path:
    """Where the data files of `folder` lie that ship with the benchmark, such as `protocols`.

    Inside the package where it was installed from a wheel, at the top of the checkout otherwise.
    """
    package = Path(__file__).parent
    inside = package / folder
    return inside if inside.is_dir() else package.parent / folder
