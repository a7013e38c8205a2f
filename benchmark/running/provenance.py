"""What produced a result: packages, platform, and the state of the code."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

from benchmark.video.decoders import DECORD_BUILDS, OPENCV_BUILDS, package_version

PACKAGES = ("torch", "mmengine", "mmaction2", "mmcv-lite", "av", "decord", "numpy", "pluggy", "pydantic")


def package_versions() -> dict[str, str]:
    """Versions of everything that can move a number, by distribution name."""
    found = {name: package_version(name) for name in (*PACKAGES, *OPENCV_BUILDS, *DECORD_BUILDS)}
    return {name: version for name, version in found.items() if version}


def platform_name() -> str:
    """Operating system and processor."""
    return f"{platform.system()} {platform.machine()}"


def git_state() -> tuple[str | None, bool | None]:
    """Commit of the checkout that the code runs from and whether it has uncommitted changes; None outside one."""
    folder = Path(__file__).resolve().parent

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    # An installed copy may lie inside somebody else's repository: only a tracked file says that it is this one.
    if not git("ls-files", str(Path(__file__).resolve())):
        return None, None
    commit = git("rev-parse", "HEAD")
    return commit, bool(git("status", "--porcelain", "--untracked-files=no")) if commit else None
