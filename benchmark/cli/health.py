"""What `benchmark doctor` looks at: everything about an environment that has gone wrong for someone."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from packaging.requirements import Requirement

from benchmark.errors import BenchmarkError, UsageError
from benchmark.failures import one_line
from benchmark.registry import registry
from benchmark.resources import cores, memory
from benchmark.running.provenance import PACKAGES
from benchmark.shipped import shipped
from benchmark.video.cache import cache_folder, cache_limit
from benchmark.video.decoders import DECORD_BUILDS, OPENCV_BUILDS, package_version

DISTRIBUTION = "dfer-benchmark"
# Free GiB below which nothing can be written soon, and below which some checkpoints of a large method fill the disk.
NO_ROOM, LITTLE_ROOM = 1, 10
# Of the memory that processes share, in MiB: what a container has by default stops loaders of larger clips.
SHARED = 256
MMCV_BUILDS = ("mmcv-lite", "mmcv", "mmcv-full")
GPU_DRIVER = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True)
class Check:
    """One thing looked at. advice: what to do, if anything."""

    subject: str
    level: Literal["ok", "warning", "problem"]
    finding: str
    advice: str = ""


def checks() -> list[Check]:
    """Everything looked at, in the order in which it should be mended."""
    return [
        Check("python", "ok", platform.python_version()),
        *_packages(),
        _one_owner("OpenCV", "cv2", OPENCV_BUILDS),
        _one_owner("decord", "decord", DECORD_BUILDS),
        _one_owner("mmcv", "mmcv", MMCV_BUILDS),
        _mmaction(),
        _device(),
        *_decoding(),
        *_disks(),
        _data_root(),
        *_plugins(),
    ]


def _packages() -> Iterator[Check]:
    """Each package that moves numbers, and those others that are missing or of a version that nobody tested."""
    pins = _pins()
    for requirement in _requirements():
        check = _package(requirement, pins.get(requirement.name))
        if requirement.name in PACKAGES or check.level != "ok":
            yield check


def _requirements() -> list[Requirement]:
    """What the installed benchmark asks for on this machine, extras and OpenCV (any build will do) left out."""
    try:
        asked = map(Requirement, importlib.metadata.requires(DISTRIBUTION) or [])
    except importlib.metadata.PackageNotFoundError:
        return [Requirement(name) for name in PACKAGES]
    here = [one for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})]
    return [one for one in here if one.name not in OPENCV_BUILDS]


def _pins() -> dict[str, str]:
    """The versions in requirements.txt, where the benchmark runs from a checkout."""
    path = shipped("requirements.txt")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))


def _package(requirement: Requirement, pin: str | None) -> Check:
    name, found = requirement.name, package_version(requirement.name)
    wanted = f"{name}=={pin}" if pin else str(requirement).partition(";")[0].strip()
    if found is None:
        return Check(name, "problem", "missing", f'pip install --no-deps "{wanted}"')
    if not requirement.specifier.contains(found, prereleases=True):
        tested = f"tested: {requirement.specifier}"
        return Check(name, "warning", f"{found} ({tested})", f'pip install --no-deps "{wanted}"')
    return Check(name, "ok", found if pin in (None, found) else f"{found} (requirements.txt: {pin})")


def _one_owner(title: str, module: str, builds: tuple[str, ...]) -> Check:
    found = {build: version for build in builds if (version := package_version(build))}
    described = ", ".join(f"{build} {version}" for build, version in found.items())
    if not found:
        return Check(f"{title} builds", "problem", "none", f"pip install --no-deps {builds[0]}")
    if len(set(found.values())) > 1:
        keep, *others = found
        advice = f"each owns `{module}`, and the last one installed wins: pip uninstall {' '.join(others)}, then "
        return Check(f"{title} builds", "problem", described, f"{advice}pip install --force-reinstall --no-deps {keep}")
    return Check(f"{title} builds", "ok", described)


def _mmaction() -> Check:
    try:
        from benchmark.training.adapter import import_mmaction

        import_mmaction()
    # Whatever stops the import is the finding.
    except Exception as error:
        finding = f"{type(error).__name__}: {one_line(error)}"
        advice = "pip install --no-deps --force-reinstall the versions of mmaction2, mmcv-lite and mmengine above"
        return Check("mmaction.models", "problem", finding, advice)
    return Check("mmaction.models", "ok", "imports, with a stand-in for the module that its wheel lacks")


def _device() -> Check:
    given = f"{cores()} cores and {memory() / 2**30:.0f} GiB of memory to use"
    try:
        from benchmark.training.devices import device_found

        device = device_found()
    except (ImportError, OSError, RuntimeError) as error:
        return Check("device", "problem", one_line(error), "install a torch that this machine can load")
    finding = f"{device}; {given}"
    if device == "cpu" and GPU_DRIVER.exists():
        advice = "the machine has a GPU that torch does not see: install a CUDA build of torch that fits its driver"
        return Check("device", "warning", finding, advice)
    shared = _shared_memory()
    if shared is not None and shared < SHARED * 2**20:
        advice = "loaders pass clips through it: give the container more (docker run --shm-size=8g), or --workers 0"
        return Check("device", "warning", f"{finding}; {shared / 2**20:.0f} MiB in /dev/shm", advice)
    return Check("device", "ok", finding)


def _shared_memory() -> int | None:
    folder = Path("/dev/shm")
    return shutil.disk_usage(folder).free if folder.is_dir() else None


def _decoding() -> Iterator[Check]:
    """A clip of each kind, written here and read through the readers that training uses."""
    from benchmark.datasets.synthetic.writing import write_frames, write_video

    frames = [np.full((48, 64, 3), 20 * number, np.uint8) for number in range(1, 11)]
    with tempfile.TemporaryDirectory() as folder:
        for kind, name, odd in (("JPEG frames", "frames", 0), ("video", "a.mp4", 0), ("B-frames", "b.mp4", 2)):
            path = Path(folder, name)
            write = write_video if path.suffix else write_frames
            try:
                write(path, frames, clip=odd)
                yield _read_back(f"decoding {kind}", path, frames)
            # Whatever stops the writing or the reading is the finding.
            except Exception as error:
                advice = f"reinstall {'decord and av' if path.suffix else 'OpenCV'} in the versions above"
                yield Check(f"decoding {kind}", "problem", f"{type(error).__name__}: {one_line(error)}", advice)


def _read_back(subject: str, path: Path, frames: list[np.ndarray]) -> Check:
    from benchmark.video.frames import open_clip

    clip = open_clip(path)
    wanted = [7, 0, 9, 3]
    off = max(
        float(np.abs(seen.astype(int) - frames[number].astype(int)).mean())
        for seen, number in zip(clip.read(wanted), wanted, strict=True)
    )
    # Neighbouring frames differ by 20; compression, by much less.
    if clip.count != len(frames) or off > 8:
        finding = f"{clip.decoder}: other frames than were written ({clip.count} of {len(frames)}, off by {off:.0f})"
        return Check(subject, "problem", finding, "install the versions of decord and av in requirements.txt")
    return Check(subject, "ok", f"{clip.decoder}: exact")


def _disks() -> Iterator[Check]:
    cache = cache_folder()
    yield _disk("disk for runs", Path.cwd(), "work in a folder on a larger disk, or give -o DIR")
    check = _disk("disk for the frame cache", cache, "set BENCHMARK_CACHE to a folder on a larger disk")
    try:
        limit = f"; may take {cache_limit(cache, 0) / 2**30:.0f} GiB (BENCHMARK_CACHE_LIMIT)"
    except UsageError as error:
        yield Check(check.subject, "problem", check.finding, one_line(error))
    else:
        yield Check(check.subject, check.level, check.finding + limit, check.advice)


def _disk(subject: str, folder: Path, advice: str) -> Check:
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not os.access(existing, os.W_OK):
        return Check(subject, "problem", f"{existing} cannot be written", advice)
    free = shutil.disk_usage(existing).free / 2**30
    level: Literal["ok", "warning", "problem"] = "problem" if free < NO_ROOM else "ok"
    if NO_ROOM <= free < LITTLE_ROOM:
        level = "warning"
    return Check(subject, level, f"{free:.0f} GiB free in {folder}", "" if level == "ok" else advice)


def _data_root() -> Check:
    from benchmark.planning.data import default_root
    from benchmark.plugin_functions import find_dataset

    root = default_root(None)
    if root is None:
        return Check("data root", "ok", "BENCHMARK_DATA_ROOT is not set: commands need --data-root DIR, or --demo")
    if not root.is_dir():
        return Check(
            "data root", "problem", f"{root} is no folder", "set BENCHMARK_DATA_ROOT to the folder of datasets"
        )
    found, faults = [], []
    for layout in registry().datasets.values():
        try:
            if find_dataset(layout, root):
                found.append(layout.name)
        except (BenchmarkError, OSError) as error:
            faults.append(f"{layout.name}: {one_line(error)}")
    if faults:
        return Check("data root", "problem", f"{root}: {'; '.join(faults)}", "mend the plugin or the folder named here")
    if not found:
        advice = "`benchmark data show NAME` prints the tree that is expected of a dataset"
        return Check("data root", "warning", f"{root} holds no dataset that is known", advice)
    return Check("data root", "ok", f"{root} holds {', '.join(found)}; `benchmark data check` looks inside")


def _plugins() -> Iterator[Check]:
    found = registry()
    for plugin in found.plugins:
        kinds = [kind for (kind, _), origin in found.origin.items() if origin == plugin.name]
        offers = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)) or "nothing"
        yield Check(f"plugin {plugin.name}", "ok", f"{plugin.distribution} {plugin.version}: {offers}")
    for problem in found.problems:
        yield Check(
            "plugin", "problem", problem, "mend or uninstall it (`benchmark list plugins --debug` shows where it broke)"
        )
