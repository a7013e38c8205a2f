"""What a pre-training learns from: any videos, or the labelled images of a dataset."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmark.datasets.clips import read_clips
from benchmark.datasets.synthetic import MARKER, is_synthetic
from benchmark.errors import BenchmarkError, EnvironmentProblem, IntegrityError, UsageError
from benchmark.faces.crops import crops_of
from benchmark.fence import PluginFault
from benchmark.files import is_clutter
from benchmark.planning.data import find_root, list_files
from benchmark.plugin_functions import find_dataset
from benchmark.registry import registry
from benchmark.specs import DatasetLayout
from benchmark.units.history import videos_of
from benchmark.units.pretraining import Source
from benchmark.units.samples import Sample
from benchmark.video.names import IMAGE_SUFFIXES, VIDEO_SUFFIXES


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
    samples = tuple({"clip_id": name, "path": name} for name in names)
    real = [(folder / name).resolve() for name in names]
    # A folder of links holds what they lead to.
    around = {folder.resolve(), *(path.parent for path in real if not path.is_relative_to(folder.resolve()))}
    found = list(
        {
            (layout.name, root): (layout, root) for place in sorted(around) for layout, root in _datasets_around(place)
        }.values()
    )
    lists = [path for layout, root in found for path in list_files(layout, root)]
    datasets, ids = _known_clips(found, real)
    crops, of_synthetic, _ = crops_of(folder, names)
    return Source(
        folder.resolve().name,
        folder,
        samples,
        (),
        of_synthetic or any(_marked(folder)),
        tuple(dict.fromkeys(lists)),
        datasets=datasets,
        ids=ids,
        crops=crops.hash if crops else "",
    )


def _known_clips(
    found: Sequence[tuple[DatasetLayout, Path]], samples: Sequence[Path]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Whose videos the samples may be, and the ids of their clips if they are all clips of the only dataset."""
    datasets = tuple(sorted({videos_of(layout.name) for layout, _ in found}))
    if len(datasets) != 1:
        return datasets, ()
    known: dict[Path, str] = {}
    for layout, root in found:
        # Lists may be missing or broken where only the videos are.
        with contextlib.suppress(BenchmarkError, OSError):
            clips = read_clips(layout, root, votes=False)
            known |= {(root / path).resolve(): clip.id for clip in clips for path in clip.frames.values()}
    ids = tuple(known.get(path, "") for path in samples)
    return datasets, ids if all(ids) else ()


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


def _root_in(layout: DatasetLayout, place: Path) -> Path | None:
    # A parent may be unreadable, or hold two forms of a dataset; a plugin's layout may be broken.
    with contextlib.suppress(OSError, IntegrityError, PluginFault):
        return find_dataset(layout, place)
    return None


def images(datasets: Sequence[str], data_root: Path | None) -> Source:
    """The labelled images of the train parts of one dataset, or of several together.

    Classes are those that all of them have, in the first one's order; images of other classes are left out.
    """
    layouts = [registry().find("datasets", name) for name in datasets]
    repeated = sorted({name for name in datasets if list(datasets).count(name) > 1})
    if repeated:
        raise UsageError(f"--dataset {repeated[0]}: is given twice")
    roots = [find_root(layout, data_root) for layout in layouts]
    classes = tuple(name for name in layouts[0].classes if all(name in layout.classes for layout in layouts))
    if len(classes) < 2:
        raise UsageError(f"--dataset: {', '.join(datasets)} do not share two classes to learn")
    together = len(datasets) > 1
    common = Path(os.path.commonpath([root.resolve() for root in roots])) if together else roots[0]
    samples: list[Sample] = []
    left_out = 0
    for layout, root in zip(layouts, roots, strict=True):
        clips = [clip for clip in read_clips(layout, root, votes=False) if "train" in clip.parts.values()]
        if not clips:
            raise IntegrityError(f"{root}: {layout.title} has no clip in its train part")
        left_out += sum(clip.label not in classes for clip in clips)
        place = root.resolve().relative_to(common).as_posix() + "/" if together else ""
        samples += [
            {
                "clip_id": f"{layout.name}/{clip.id}" if together else clip.id,
                "path": place + clip.frames[layout.frame_sources[0]],
                "label": classes.index(clip.label),
                "target": [float(name == clip.label) for name in classes],
            }
            for clip in clips
            if clip.label in classes
        ]
    crops, of_synthetic, _ = crops_of(common, [sample["path"] for sample in samples])
    synthetic = of_synthetic or any(is_synthetic(root) for root in roots)
    lists = tuple(path for layout, root in zip(layouts, roots, strict=True) for path in list_files(layout, root))
    ids = () if together else tuple(sample["clip_id"] for sample in samples)
    videos = tuple(sorted({videos_of(name) for name in datasets}))
    return Source(
        "+".join(datasets),
        common,
        tuple(samples),
        classes,
        synthetic,
        lists,
        left_out,
        videos,
        ids,
        crops=crops.hash if crops else "",
    )


def _datasets_around(folder: Path) -> Iterator[tuple[DatasetLayout, Path]]:
    """The registered datasets whose root holds `folder`, or lies in it, and that root."""
    folder = folder.resolve()
    for layout in registry().datasets.values():
        roots = {root for place in (folder, *folder.parents) if (root := _root_in(layout, place))}
        yield from ((layout, r) for r in sorted(roots) if folder.is_relative_to(r) or r.is_relative_to(folder))
