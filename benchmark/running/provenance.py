"""What produced a result: packages, platform, and the state of the code."""

from __future__ import annotations

import importlib.util
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path

from benchmark.files import hash_value
from benchmark.records import PluginUse
from benchmark.registry import registry
from benchmark.specs import MethodSpec
from benchmark.video.decoders import DECORD_BUILDS, OPENCV_BUILDS, package_version

PACKAGES = ("torch", "mmengine", "mmaction2", "mmcv-lite", "av", "decord", "numpy", "pluggy", "pydantic")


def package_versions() -> dict[str, str]:
    """Versions of everything that can move a number, by distribution name."""
    found = {name: package_version(name) for name in (*PACKAGES, *OPENCV_BUILDS, *DECORD_BUILDS)}
    return {name: version for name, version in found.items() if version}


def platform_name() -> str:
    """Operating system and processor."""
    return f"{platform.system()} {platform.machine()}"


def git_state(file: Path = Path(__file__)) -> tuple[str | None, bool | None]:
    """Commit of the checkout that a file lies in, and whether it has uncommitted changes; None outside one."""
    folder = file.resolve().parent

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    # An installed copy may lie inside somebody else's repository: only a tracked file says that it is this one.
    if not git("ls-files", str(file.resolve())):
        return None, None
    commit = git("rev-parse", "HEAD")
    return commit, bool(git("status", "--porcelain", "--untracked-files=no")) if commit else None


def plugin_use(kind: str, name: str, code: Mapping[str, str] | None) -> PluginUse:
    """Where a method or an augmentation comes from; `code` is the unit's, see `Trainable`."""
    found = registry()
    plugin = next(one for one in found.plugins if one.name == found.origin[kind, name])
    spec = found.methods[name] if kind == "methods" else found.augmentations[name]
    path = spec.recipe if isinstance(spec, MethodSpec) else spec.build
    origin = importlib.util.find_spec(path.partition(":")[0])
    commit, dirty = git_state(Path(origin.origin)) if origin and origin.origin else (None, None)
    return PluginUse(
        name=plugin.name,
        distribution=plugin.distribution,
        version=plugin.version,
        code_sha256=hash_value(dict(code)) if code else None,
        commit=commit,
        dirty=dirty,
    )
