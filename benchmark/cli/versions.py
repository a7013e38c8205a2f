"""The versions that a reader of a fault needs: asked of the installed packages, none of which is imported."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from benchmark.version import __version__

PACKAGES = ("torch", "mmengine", "mmaction2", "decord", "av", "numpy")


def versions() -> dict[str, str]:
    """The benchmark's own version first, then what it computes with; `not installed` where there is none."""
    return {
        "benchmark": __version__,
        "python": platform.python_version(),
        **{package: _version(package) for package in PACKAGES},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
