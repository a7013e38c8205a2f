"""What `benchmark pretrain` trains: a frozen value with an identity, what it learns from, and its state on disk."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmark.datasets.clips import read_clips
from benchmark.datasets.synthetic import MARKER, is_synthetic
from benchmark.errors import EnvironmentProblem, IntegrityError, UsageError
from benchmark.fence import PluginFault
from benchmark.files import hash_file, hash_value, is_clutter, read_text, write_text
from benchmark.registry import registry, unknown_name
from benchmark.run.data import find_root, list_files
from benchmark.run.rows import Row
from benchmark.specs import DatasetLayout, MethodSpec, Pretraining, load_object
from benchmark.video.names import IMAGE_SUFFIXES, VIDEO_SUFFIXES

STATE, WEIGHTS, ROWS = "pretraining.json", "weights.safetensors", "clips.json"


@dataclass(frozen=True)
class Source:
    """What is learned from: the rows that `ClipDataset` reads, relative to `root`.

    classes: emotion names, in the order of the rows' `target`; empty where nothing is labelled.
    lists: annotation files of the datasets that it is, holds or lies in. left_out: how many images are of other
    classes.
    """

    name: str
    root: Path
    rows: tuple[Row, ...]
    classes: tuple[str, ...]
    synthetic: bool
    lists: tuple[Path, ...] = ()
    left_out: int = 0


class PretrainingUnit(BaseModel):
    """All that determines the result of a pre-training. `data` is the fingerprint of its rows.

    `decoder` is what decodes them, with its version; `init` holds the SHA-256 of each network's initial weights.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: str
    method_version: str
    pretraining: str
    preset: str
    seed: int
    data: str
    decoder: str | None = None
    source: str
    classes: tuple[str, ...]
    synthetic: bool
    overrides: dict[str, Any] = {}
    init: dict[str, str] | None = None

    @property
    def identity(self) -> str:
        """SHA-256 of what determines the result."""
        return hash_value(self.model_dump(mode="json"))

    @property
    def folder(self) -> Path:
        """Where it lives, relative to the folder of all pre-trainings."""
        name = f"{self.method}-{self.pretraining}" + ("" if self.preset == "paper" else f"@{self.preset}")
        extra = {key: value for key, value in (("overrides", self.overrides), ("init", self.init)) if value}
        changed = f"~{hash_value(extra)[:8]}" if extra else ""
        return Path(f"{name}{changed}") / (self.source + ("-synthetic" if self.synthetic else "")) / f"seed-{self.seed}"


class PretrainingState(BaseModel):
    """`pretraining.json`: how far it is, and at the end the SHA-256 of its weights."""

    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    identity: str
    unit: PretrainingUnit
    epoch: int = 0
    attempts: int = 0
    seconds: float = 0.0
    device: str = ""
    weights: str | None = None


def find_pretraining(method: MethodSpec, name: str | None) -> tuple[str, Pretraining]:
    """The method's pre-training called `name`, or its only one."""
    known = method.pretrainings
    if not known:
        raise UsageError(f"{method.name} has no pre-training of its own")
    if name is None:
        if len(known) > 1:
            raise UsageError(f"{method.name} has several pre-trainings; choose with --stage: {', '.join(known)}")
        name = next(iter(known))
    if name not in known:
        raise UsageError(unknown_name("pre-training", name, known))
    return name, known[name]


def videos(folder: Path) -> Source:
    """Every video file, and every folder of images, under `folder`; what is hidden or a system's own is no clip."""
    if not folder.is_dir():
        raise EnvironmentProblem(f"--videos {folder}: no such folder")
    names = sorted(_clips_under(folder))
    if not names:
        raise EnvironmentProblem(
            f"--videos {folder}: holds no video file ({', '.join(VIDEO_SUFFIXES)}) and no folder of images "
            f"({', '.join(IMAGE_SUFFIXES)})"
        )
    rows = tuple({"clip_id": name, "path": name} for name in names)
    lists = [path for layout, root in _datasets_around(folder) for path in list_files(layout, root)]
    return Source(folder.resolve().name, folder, rows, (), any(_marked(folder)), tuple(lists))


def _clips_under(folder: Path) -> Iterator[str]:
    for found, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not is_clutter(name)]
        suffixes = {name: Path(name).suffix.lower() for name in files if not is_clutter(name)}
        place = Path(found).relative_to(folder)
        yield from ((place / name).as_posix() for name, suffix in suffixes.items() if suffix in VIDEO_SUFFIXES)
        if any(suffix in IMAGE_SUFFIXES for suffix in suffixes.values()):
            yield place.as_posix()


def _marked(folder: Path) -> Iterator[bool]:
    # Synthetic data are marked at a dataset's root; `folder` may be inside it, or hold several.
    yield is_synthetic(folder)
    yield from (place.is_file() for place in folder.glob(f"*/{MARKER}"))


def datasets_around(folder: Path) -> list[str]:
    """Titles of the registered datasets whose root holds `folder`, or lies in it."""
    return list(dict.fromkeys(layout.title for layout, _ in _datasets_around(folder)))


def _datasets_around(folder: Path) -> Iterator[tuple[DatasetLayout, Path]]:
    folder = folder.resolve()
    for layout in registry().datasets.values():
        roots = {root for place in (folder, *folder.parents) if (root := _root_in(layout, place))}
        yield from ((layout, r) for r in sorted(roots) if folder.is_relative_to(r) or r.is_relative_to(folder))


def _root_in(layout: DatasetLayout, place: Path) -> Path | None:
    # A parent may be unreadable, or hold two forms of a dataset; a plugin's layout may be broken.
    with contextlib.suppress(OSError, IntegrityError, PluginFault):
        return load_object(layout.find)(place)
    return None


def images(datasets: Sequence[str], data_root: Path | None) -> Source:
    """The labelled images of the train parts of one dataset, or of several together.

    Classes are those that all of them have, in the first one's order; images of other classes are left out.
    """
    layouts: list[DatasetLayout] = [registry().find("datasets", name) for name in datasets]
    repeated = sorted({name for name in datasets if list(datasets).count(name) > 1})
    if repeated:
        raise UsageError(f"--dataset {repeated[0]}: is given twice")
    roots = [find_root(layout, data_root) for layout in layouts]
    classes = tuple(name for name in layouts[0].classes if all(name in layout.classes for layout in layouts))
    if len(classes) < 2:
        raise UsageError(f"--dataset: {', '.join(datasets)} do not share two classes to learn")
    together = len(datasets) > 1
    common = Path(os.path.commonpath([root.resolve() for root in roots])) if together else roots[0]
    rows: list[Row] = []
    left_out = 0
    for layout, root in zip(layouts, roots, strict=True):
        clips = [clip for clip in read_clips(layout, root, votes=False) if "train" in clip.parts.values()]
        if not clips:
            raise IntegrityError(f"{root}: {layout.title} has no clip in its train part")
        left_out += sum(clip.label not in classes for clip in clips)
        place = root.resolve().relative_to(common).as_posix() + "/" if together else ""
        rows += [
            {
                "clip_id": f"{layout.name}/{clip.id}" if together else clip.id,
                "path": place + clip.frames[layout.frame_sources[0]],
                "label": classes.index(clip.label),
                "target": [float(name == clip.label) for name in classes],
            }
            for clip in clips
            if clip.label in classes
        ]
    synthetic = any(is_synthetic(root) for root in roots)
    lists = tuple(path for layout, root in zip(layouts, roots, strict=True) for path in list_files(layout, root))
    return Source("+".join(datasets), common, tuple(rows), classes, synthetic, lists, left_out)


def read_state(folder: Path, unit: PretrainingUnit) -> PretrainingState:
    """The state written in `folder`, or a new one; a folder that holds another pre-training is refused."""
    path = folder / STATE
    if not path.is_file():
        return PretrainingState(identity=unit.identity, unit=unit)
    try:
        state = PretrainingState.model_validate_json(read_text(path))
    except ValidationError as error:
        raise IntegrityError(f"{path}: is not a pre-training's state; delete {folder} to start again") from error
    if state.identity != unit.identity:
        mine, theirs = unit.model_dump(), state.unit.model_dump()
        changed = ", ".join(key for key in mine if mine[key] != theirs[key])
        raise IntegrityError(
            f"{folder}: holds a pre-training that differs in: {changed}; nothing was changed. "
            "Use another --output, or delete that folder to start again"
        )
    return state


def save_state(folder: Path, state: PretrainingState) -> None:
    """Write the state, whole or not at all."""
    write_text(folder / STATE, state.model_dump_json(indent=2) + "\n")


def is_done(folder: Path, state: PretrainingState) -> bool:
    """Whether the weights are there, and still the ones that were written."""
    if state.weights is None:
        return False
    path = folder / WEIGHTS
    if not path.is_file() or hash_file(path) != state.weights:
        raise IntegrityError(f"{path}: is missing or not what was trained; delete {folder} to train again")
    return True
