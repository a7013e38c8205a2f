"""The data that a protocol evaluates on, as found on disk and divided by its rule."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmark.datasets.clips import read_clips
from benchmark.datasets.counts import part_counts, unexpected
from benchmark.datasets.splits import SPLITS, Fold, make_folds
from benchmark.datasets.synthetic import MARKER, is_synthetic
from benchmark.errors import EnvironmentProblem, IntegrityError, UsageError
from benchmark.faces.crops import crops_of
from benchmark.faces.recipe import CropRecipe
from benchmark.files import hash_value, read_json
from benchmark.plugin_functions import find_dataset
from benchmark.protocol import ALL, Protocol, TargetData
from benchmark.registry import registry
from benchmark.specs import Clip, DatasetLayout
from benchmark.video.decoders import decoder_of


@dataclass(frozen=True)
class Data:
    """A protocol's clips, divided into folds.

    root: the dataset that models are trained on. test_root: the one that they are tested on, mostly the same.
    fingerprints: by label mode, a hash of all that training and scoring read from the annotations; `soft` is there only
        if the votes were read.
    crops: the recipe by which the faces of the test clips were cropped here; None where the dataset ships them so.
    face_shares: by where a test clip's frames lie, the share of frames with its face, as far as that is known.
    deviations: how real data differ from what is known of the dataset; results on them are never ranked.
    """

    layout: DatasetLayout
    root: Path
    test_root: Path
    folds: dict[int, Fold]
    fingerprints: Mapping[str, str]
    synthetic: bool
    deviations: tuple[str, ...]
    crops: CropRecipe | None = None
    face_shares: Mapping[str, float] = field(default_factory=dict)

    @property
    def clips(self) -> int:
        """Number of different clips over all folds."""
        return len({clip.id for fold in self.folds.values() for name in SPLITS for clip in fold.split(name)})


@dataclass(frozen=True)
class _Table:
    """A dataset's clip table, and what `Data` says of it."""

    layout: DatasetLayout
    root: Path
    clips: list[Clip]
    fingerprints: Mapping[str, str]
    synthetic: bool
    deviations: tuple[str, ...]
    crops: CropRecipe | None
    face_shares: Mapping[str, float]


def load_data(protocol: Protocol, data_root: Path | None, votes: bool) -> Data:
    """Find and read the protocol's datasets under `data_root`, and divide them."""
    table = _read(protocol.dataset, protocol.frames.source, data_root, votes, protocol.needs_votes)
    folds = {fold.number: fold for fold in make_folds(table.clips, protocol.train_on or protocol)}
    data = Data(
        table.layout,
        table.root,
        table.root,
        folds,
        table.fingerprints,
        table.synthetic,
        table.deviations,
        table.crops,
        table.face_shares,
    )
    if protocol.test_on is None:
        return data
    tested = _read(protocol.test_on.dataset, protocol.test_on.source, data_root, votes=False, needs_votes=False)
    test = _test_clips(tested, protocol.test_on, protocol.classes)
    crops = [f"cropped by {t.crops.title}" if t.crops else "as they are shipped" for t in (table, tested)]
    apart = [f"trained on faces {crops[0]}, tested on faces {crops[1]}"] if table.crops != tested.crops else []
    return replace(
        data,
        test_root=tested.root,
        folds={number: replace(fold, test=test) for number, fold in folds.items()},
        fingerprints={
            labels: hash_value([value, tested.fingerprints["hard"]]) for labels, value in table.fingerprints.items()
        },
        synthetic=table.synthetic or tested.synthetic,
        deviations=(*table.deviations, *tested.deviations, *apart),
        crops=tested.crops,
        face_shares=tested.face_shares,
    )


def _read(dataset: str, source: str, data_root: Path | None, votes: bool, needs_votes: bool) -> _Table:
    layout = registry().find("datasets", dataset)
    if source not in layout.frame_sources:
        raise UsageError(
            f"frames.source '{source}' is not one that {layout.name} has: {', '.join(layout.frame_sources)}"
        )
    if (votes or needs_votes) and not layout.votes:
        raise UsageError(f"{layout.title} has no annotators' votes; use --labels hard")
    root = find_root(layout, data_root)
    clips = read_clips(layout, root, votes or needs_votes)
    mark = root / MARKER
    crops, of_synthetic, face_shares = crops_of(root, [clip.frames[source] for clip in clips])
    facts: list[Any] = [read_json(mark) if mark.is_file() else None, [_facts(clip) for clip in clips]]
    if crops is not None:
        facts.append(crops.hash)
    with_votes = [*facts, [[clip.id, dict(clip.votes or {})] for clip in clips]]
    fingerprints = {"hard": hash_value(with_votes if needs_votes else facts)}
    if votes:
        fingerprints["soft"] = hash_value(with_votes)
    synthetic = is_synthetic(root) or of_synthetic
    deviations = [] if synthetic else unexpected(layout, part_counts(clips, layout.classes))
    return _Table(layout, root, clips, fingerprints, synthetic, tuple(deviations), crops, face_shares)


def _facts(clip: Clip) -> list[Any]:
    facts: list[Any] = [clip.id, clip.label, sorted(clip.parts.items())]
    if clip.attributes:
        facts.append(sorted(clip.attributes.items()))
    if clip.frame_labels is not None:
        facts.append(sorted(clip.frame_labels.items()))
    return facts


def _test_clips(table: _Table, test_on: TargetData, classes: Sequence[str]) -> tuple[Clip, ...]:
    """The other dataset's test clips under this protocol's class names, ordered by id."""
    rename = test_on.labels.rename if test_on.labels else {}
    dropped = test_on.labels.drop if test_on.labels else ()
    listed = [clip for clip in table.clips if test_on.part == ALL or test_on.part in clip.parts.values()]
    clips = [replace(clip, label=rename.get(clip.label, clip.label)) for clip in listed if clip.label not in dropped]
    foreign = sorted({clip.label for clip in clips} - set(classes))
    if foreign:
        raise IntegrityError(
            f"{table.layout.name}: its label '{foreign[0]}' is not one of the classes {list(classes)}; a label map "
            "(test_on.labels) must rename or drop it"
        )
    if not clips or any(clip.frame_labels is not None for clip in clips):
        what = "labels frames, not clips" if clips else f"has no clip in its part '{test_on.part}'"
        raise IntegrityError(f"{table.layout.name}: {what}, so nothing can be tested on it")
    return tuple(sorted(clips, key=lambda clip: clip.id))


def find_root(layout: DatasetLayout, data_root: Path | None) -> Path:
    """The dataset's root under `data_root`; what is missing is said together with how to get it."""
    root = find_dataset(layout, data_root) if data_root else None
    if root is None:
        where = f"not found under {data_root}" if data_root else "needs --data-root DIR (or BENCHMARK_DATA_ROOT)"
        raise EnvironmentProblem(
            f"{layout.title}: {where}.\n"
            f"To obtain it: {layout.obtain}\n"
            f"Expected tree:\n{layout.tree}\n"
            "To try the benchmark without it, on synthetic data: add --demo"
        )
    return root


def list_files(layout: DatasetLayout, root: Path) -> list[Path]:
    """The annotation files of a dataset: those that its layout names, as they lie under `root`."""
    return sorted(path for pattern in layout.lists for path in root.glob(pattern))


def check_frames(data: Data, protocol: Protocol) -> None:
    """Every clip's frames must be there before hours are spent; what they hold is seen when they are read."""
    clips = clip_paths(data, protocol)
    missing = sorted(path for path in clips if not path.exists())
    if missing:
        name = data.layout.name
        prepared = f" (`benchmark data show {name}` says how faces are cropped)" if protocol.frames.crops else ""
        raise EnvironmentProblem(
            f"{len(missing)} of {len(clips)} clips have no frames, the first is clip {clips[missing[0]]}: "
            f"{missing[0]}{prepared}; `benchmark data check {name} --root {data.root}` lists them all"
        )


def decoder_of_data(data: Data, protocol: Protocol) -> str:
    """What decodes the protocol's clips, with its version."""
    return decoder_of(clip_paths(data, protocol))


def clip_paths(data: Data, protocol: Protocol) -> dict[Path, str]:
    """Where the frames of every clip lie that the protocol trains, selects or tests on, with the clip's id."""
    clips: dict[Path, str] = {}
    for fold in data.folds.values():
        for name in SPLITS:
            root = data.test_root if name == "test" else data.root
            clips |= {root / clip.frames[protocol.frame_source(name)]: clip.id for clip in fold.split(name)}
    return clips


def default_root(data_root: Path | None) -> Path | None:
    """`--data-root`, or else the environment's BENCHMARK_DATA_ROOT."""
    configured = os.environ.get("BENCHMARK_DATA_ROOT")
    return data_root or (Path(configured) if configured else None)
