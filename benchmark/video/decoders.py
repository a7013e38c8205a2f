"""What decodes clips on this machine, by package and version: part of a result's identity."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable
from pathlib import Path

from benchmark.video.names import IMAGE_SUFFIXES

OPENCV_BUILDS = ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python")
DECORD_BUILDS = ("decord", "decord2", "eva-decord")
_PACKAGES = {"images": OPENCV_BUILDS, "videos": ("av", *DECORD_BUILDS)}


def package_version(package: str) -> str | None:
    """The installed version, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def decoder_of(paths: Iterable[Path]) -> str:
    """What decodes the clips at `paths`: images by OpenCV; videos by decord or PyAV, as each file's stream decides.

    Nothing is opened, and no decoder is imported.
    """
    kinds = {_kind(path) for path in paths}
    return "; ".join(f"{kind}: {_installed(_PACKAGES[kind])}" for kind in sorted(kinds))


def every_decoder() -> str:
    """All that could decode a clip."""
    return "; ".join(f"{kind}: {_installed(packages)}" for kind, packages in _PACKAGES.items())


def _kind(path: Path) -> str:
    suffix = path.suffix.lower()
    return "images" if not suffix or suffix in IMAGE_SUFFIXES or path.is_dir() else "videos"


def _installed(packages: Iterable[str]) -> str:
    versions = {name: package_version(name) for name in packages}
    return ", ".join(f"{name} {version}" for name, version in versions.items() if version) or "nothing"
