"""Test clips predicted again, from a record and the checkpoints that it names."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmark.datasets.splits import Fold
from benchmark.errors import IntegrityError, UsageError
from benchmark.files import hash_file, write_json
from benchmark.planning.data import Data, list_files
from benchmark.planning.request import in_order
from benchmark.records import Record, UnitRecord, protocol_of
from benchmark.registry import registry
from benchmark.running.machine import Machine
from benchmark.running.steps import job_of
from benchmark.scoring.predictions import Predictions
from benchmark.specs import Clip
from benchmark.units.clip_names import NAMES, hide, read_names, write_names
from benchmark.units.computing import Computing
from benchmark.units.guard import closed
from benchmark.units.samples import TEST, unlabelled_samples
from benchmark.units.state import SPLIT_FILES
from benchmark.units.unit import ChosenAugmentation, Unit

CHECKPOINT_SUFFIXES = (".pth", ".pt", ".safetensors")


def checkpoints_among(record: Record, weights: Sequence[Path]) -> list[tuple[UnitRecord, Path]]:
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


def predict_again(
    record: Record,
    stated: UnitRecord,
    data: Data,
    clips: Sequence[Clip],
    checkpoint: Path,
    device: str,
    *,
    corruption: tuple[str, int] | None = None,
    cache: Path | None = None,
) -> Predictions:
    """The predictions of some of a unit's test clips, as the record's were made, by its checkpoint.

    corruption: how the clips are spoiled first, by name and severity. cache: a frame cache; by default one that is gone
    afterwards.
    """
    from benchmark.training.devices import compute_by, use_device

    # Before MMEngine is imported: see `choose_device`.
    use_device(device)
    from benchmark.training.unit import predict

    protocol = protocol_of(record)
    unit = unit_of(record, stated)
    fold = Fold(stated.fold, (), (), tuple(sorted(clips, key=lambda clip: clip.id)))
    made = stated.cost.computing or Computing()
    computing = Computing(precision=made.precision, threads=made.threads)
    compute_by(computing)
    with tempfile.TemporaryDirectory(prefix="again-") as temporary:
        place = Path(temporary)
        hidden, names = hide({TEST: unlabelled_samples(fold.test, protocol)})
        write_names(place / SPLIT_FILES, names)
        write_json(place / SPLIT_FILES / f"{TEST}.json", {"metainfo": {"split": TEST}, "data_list": hidden[TEST]})
        machine = Machine(place, data.root, data.test_root, cache=cache or place / "frames", computing=computing)
        read_names(place / SPLIT_FILES)
        layout = registry().find("datasets", protocol.test_on.dataset if protocol.test_on else protocol.dataset)
        job = job_of(unit, machine, place, corruption)
        with closed([*list_files(layout, data.test_root), place / SPLIT_FILES / NAMES], place):
            return predict(job, checkpoint, [TEST], lambda done, total: None).predictions[TEST]


def unit_of(record: Record, stated: UnitRecord) -> Unit:
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
