"""Predictions made again from a record's checkpoints, of a few clips that nobody could choose."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.datasets.scored import scored_ids
from benchmark.datasets.splits import Fold, hash_ids
from benchmark.errors import IntegrityError, UsageError
from benchmark.files import hash_file, write_json
from benchmark.planning.data import Data, list_files
from benchmark.planning.request import in_order
from benchmark.records import Record, UnitRecord, protocol_of
from benchmark.registry import registry
from benchmark.running.steps import Machine, job_of
from benchmark.scoring.predictions import read_predictions
from benchmark.specs import Clip, ReportProgress
from benchmark.units.clip_names import NAMES, hide, read_names, write_names
from benchmark.units.computing import Computing
from benchmark.units.guard import closed
from benchmark.units.samples import TEST, unlabelled_samples
from benchmark.units.state import SPLIT_FILES
from benchmark.units.unit import ChosenAugmentation, Unit

CHECKPOINT_SUFFIXES = (".pth", ".pt", ".safetensors")


@dataclass(frozen=True)
class Reproduced:
    """What came of one unit: of how many clips, by how much a probability differs at most, and on which clip."""

    seed: int
    fold: int
    clips: int
    difference: float
    clip: str


def reproduce(
    record: Record,
    folder: Path,
    data: Data,
    weights: Sequence[Path],
    *,
    choice: str,
    clips: int,
    device: str,
    report: ReportProgress,
) -> list[Reproduced]:
    """Predict `clips` test clips of each unit whose checkpoint is among `weights`, and compare with the record's.

    folder: the record's. weights: files, or folders that hold them. choice: the record's hash; clips are those with the
    smallest SHA-256 of `"<choice>/<seed>/<fold>/<clip-id>"`, so that no one can know them before the record is fixed.
    Raises IntegrityError for a file that is no unit's checkpoint, and for data that have other clips than the record's.
    """
    checkpoints = _match(record, weights)
    found = []
    for done, (unit, checkpoint) in enumerate(checkpoints):
        report(done, len(checkpoints))
        fold = data.folds[unit.fold]
        if hash_ids(scored_ids(fold.test)) != unit.splits.test.sha256:
            raise IntegrityError(f"{data.test_root}: has other test clips than the record (fold {unit.fold})")
        prefix = f"{choice}/{unit.seed}/{unit.fold}"
        chosen = sorted(fold.test, key=lambda clip: hashlib.sha256(f"{prefix}/{clip.id}".encode()).digest())[:clips]
        found.append(_reproduce_unit(record, unit, folder, data, chosen, checkpoint, device))
    report(len(checkpoints), len(checkpoints))
    return found


def _match(record: Record, weights: Sequence[Path]) -> list[tuple[UnitRecord, Path]]:
    """The units with their checkpoints, told by SHA-256. Every file must be one; of a folder, those that are count."""
    units = {unit.checkpoint_sha256: unit for unit in record.units}
    matched: dict[str, Path] = {}
    for given in weights:
        if not given.exists():
            raise UsageError(f"--weights {given}: no such file")
        files = [given] if given.is_file() else sorted(p for s in CHECKPOINT_SUFFIXES for p in given.rglob(f"*{s}"))
        hashes = {path: hash_file(path) for path in files}
        own = {sha256: path for path, sha256 in hashes.items() if sha256 in units}
        if not own:
            found = f"its SHA-256 is {hashes[given]}" if given.is_file() else "none of its files is one"
            raise IntegrityError(f"--weights {given}: is not the checkpoint of any unit of the record: {found}")
        matched |= own
    return [(unit, matched[sha256]) for sha256, unit in units.items() if sha256 in matched]


def _reproduce_unit(
    record: Record, stated: UnitRecord, folder: Path, data: Data, clips: Sequence[Clip], checkpoint: Path, device: str
) -> Reproduced:
    from benchmark.training.devices import compute_by, use_device
    from benchmark.training.unit import predict

    protocol = protocol_of(record)
    unit = _unit_of(record, stated)
    fold = Fold(stated.fold, (), (), tuple(sorted(clips, key=lambda clip: clip.id)))
    made = stated.cost.computing or Computing()
    computing = Computing(precision=made.precision, threads=made.threads)
    use_device(device)
    compute_by(computing)
    with tempfile.TemporaryDirectory(prefix="reproduce-") as temporary:
        place = Path(temporary)
        hidden, names = hide({TEST: unlabelled_samples(fold.test, protocol)})
        write_names(place / SPLIT_FILES, names)
        write_json(place / SPLIT_FILES / f"{TEST}.json", {"metainfo": {"split": TEST}, "data_list": hidden[TEST]})
        machine = Machine(place, data.root, data.test_root, cache=place / "frames", computing=computing)
        read_names(place / SPLIT_FILES)
        layout = registry().find("datasets", protocol.test_on.dataset if protocol.test_on else protocol.dataset)
        with closed([*list_files(layout, data.test_root), place / SPLIT_FILES / NAMES], place):
            predicted = predict(job_of(unit, machine, place), checkpoint, [TEST], lambda done, total: None)
    again = predicted.predictions[TEST]
    published = read_predictions(folder / stated.predictions.test.path, protocol.classes)
    row = {clip_id: number for number, clip_id in enumerate(published.ids)}
    differences = np.abs(again.probabilities - published.probabilities[[row[name] for name in again.ids]]).max(axis=1)
    worst = int(differences.argmax())
    return Reproduced(stated.seed, stated.fold, len(clips), float(differences[worst]), again.ids[worst])


def _unit_of(record: Record, stated: UnitRecord) -> Unit:
    """The unit that a record describes, as far as its predictions depend on it."""
    used = [
        ChosenAugmentation(name=each.name, version=each.version, options=each.options) for each in record.augmentations
    ]
    return Unit(
        protocol=protocol_of(record),
        method=record.method.name,
        method_version=record.method.version,
        preset=record.method.preset,
        augmentations=in_order(used),
        labels=record.label_mode,
        seed=stated.seed,
        fold=stated.fold,
        data=record.data.fingerprint,
        synthetic=record.data.synthetic,
        overrides=record.overrides.recipe,
        init=record.init,
        protocol_overrides=record.overrides.protocol,
    )
