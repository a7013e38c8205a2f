"""What `benchmark doctor` looks at."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass

from benchmark.registry import registry
from benchmark.resources import cores, memory
from benchmark.running.provenance import PACKAGES
from benchmark.video.cache import cache_folder
from benchmark.video.decoders import DECORD_BUILDS, OPENCV_BUILDS, package_version


@dataclass(frozen=True)
class Check:
    """One thing looked at."""

    subject: str
    ok: bool
    finding: str


def checks() -> list[Check]:
    """Everything that has gone wrong for someone."""
    results = [Check("python", sys.version_info >= (3, 11), platform.python_version())]
    for package in PACKAGES:
        found = package_version(package)
        results.append(Check(package, found is not None, found or "missing: `make venv`, or pip install it"))
    results += [_one_owner("cv2", OPENCV_BUILDS), _one_owner("decord", DECORD_BUILDS), _mmaction(), _device()]
    free = shutil.disk_usage(os.getcwd()).free / 2**30
    results.append(Check("disk", free > 1, f"{free:.0f} GiB free here; frame cache in {cache_folder()}"))
    results += [Check("plugins", False, problem) for problem in registry().problems]
    return results


def _one_owner(module: str, builds: tuple[str, ...]) -> Check:
    installed = {build: package_version(build) for build in builds}
    owners = {build: found for build, found in installed.items() if found}
    described = ", ".join(f"{build} {found}" for build, found in owners.items()) or "missing"
    if len(set(owners.values())) > 1 or not owners:
        described += f"; keep exactly one of them: each owns `{module}`, and the last one installed wins"
        return Check(module, False, described)
    return Check(module, True, described)


def _mmaction() -> Check:
    try:
        from benchmark.training.adapter import import_mmaction

        import_mmaction()
    # Whatever stops the import is the finding.
    except Exception as error:
        return Check("mmaction.models", False, f"{type(error).__name__}: {error}")
    return Check("mmaction.models", True, "imports")


def _device() -> Check:
    try:
        from benchmark.training.devices import device_found
    except ImportError as error:
        return Check("device", False, str(error))
    return Check("device", True, f"{device_found()}; {cores()} cores and {memory() / 2**30:.0f} GiB of memory to use")
