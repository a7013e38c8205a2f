"""Putting a record together: what follows from the units is computed here, never handed in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from benchmark.faces.recipe import CropRecipe
from benchmark.protocol import Protocol
from benchmark.records.aggregates import aggregate
from benchmark.records.model import (
    AugmentationUse,
    CodeState,
    DataUse,
    Environment,
    FailedUnit,
    Marks,
    MethodUse,
    Overrides,
    ProtocolUse,
    Record,
    UnitRecord,
)
from benchmark.records.seen import TestIds, necessary, seen_reasons
from benchmark.specs import LabelMode, MetricSpec
from benchmark.units.history import InitialWeights


def assemble_record(
    *,
    protocol: Protocol,
    metrics: Sequence[MetricSpec],
    method: MethodUse,
    augmentations: Sequence[AugmentationUse],
    label_mode: LabelMode,
    overrides: Overrides,
    init: dict[str, str] | None,
    initial: Mapping[str, InitialWeights] | None = None,
    tested: TestIds | None = None,
    data: DataUse,
    units: Iterable[UnitRecord],
    failed: Iterable[FailedUnit],
    environment: Environment,
    code: CodeState,
    unofficial: Iterable[str] = (),
    incomplete: Iterable[str] = (),
    created: datetime | None = None,
) -> Record:
    """The record of a run, with aggregates, marks and eligibility computed.

    protocol: as it was run, overrides applied. unofficial, incomplete: reasons beyond those that the record itself
    shows. initial: what is known of the files of `init`. tested: the test ids of each fold, needed only for initial
    weights. created: an aware UTC time; now, if left out.
    """
    ordered = sorted(units, key=lambda unit: (unit.seed, unit.fold))
    failures = sorted(failed, key=lambda unit: (unit.seed, unit.fold))
    tests = tested or {unit.fold: () for unit in ordered}
    marks = Marks(
        synthetic=data.synthetic,
        unofficial=_unique([*unofficial_reasons(overrides, method.views, data.crops, protocol), *unofficial]),
        incomplete=_unique([*incomplete_reasons(ordered, failures, protocol), *incomplete]),
        seen=seen_reasons(init, initial, protocol, tests),
    )
    return Record(
        protocol=ProtocolUse(
            name=protocol.name,
            version=protocol.version,
            hash=protocol.hash,
            definition=protocol.canonical(),
        ),
        method=method,
        augmentations=list(augmentations),
        label_mode=label_mode,
        overrides=overrides,
        init=init,
        initial=necessary(initial, protocol, tests),
        data=data,
        units=ordered,
        aggregates=aggregate(ordered, protocol, metrics) if ordered else None,
        failed=failures,
        marks=marks,
        eligible=is_eligible(marks, protocol),
        environment=environment,
        code=code,
        created=(created or datetime.now(UTC)).replace(microsecond=0),
    )


def unofficial_reasons(
    overrides: Overrides, views: str | None, crops: CropRecipe | None, protocol: Protocol
) -> list[str]:
    """Why a record with these overrides, views and crops is not official: by protocol key, training, views, crops."""
    return [
        *(f"protocol key {key} was set to {value!r}" for key, value in sorted(overrides.protocol.items())),
        *(["nothing was trained: the initial weights were tested"] if overrides.recipe.get("epochs") == 0 else []),
        *([f"tested as its official code does, over {views}"] if views else []),
        *crop_reasons(crops, protocol),
    ]


def crop_reasons(crops: CropRecipe | None, protocol: Protocol) -> list[str]:
    """Why faces cropped so are not those of the protocol."""
    wanted = protocol.frames.crops
    if crops is None:
        return [f"faces not cropped by the protocol's recipe {wanted[:8]}"] if wanted else []
    return [f"faces cropped by the recipe {crops.title}"] if crops.hash != wanted else []


def incomplete_reasons(units: Sequence[UnitRecord], failed: Sequence[FailedUnit], protocol: Protocol) -> list[str]:
    """What is missing from folds x seeds: every seed that was tried must have every fold of the protocol."""
    if not units and not failed:
        return ["no unit was finished"]
    done = {(unit.seed, unit.fold) for unit in units}
    broken = {(unit.seed, unit.fold) for unit in failed} - done
    reasons = [f"seed {seed}, fold {fold} failed" for seed, fold in sorted(broken)]
    for seed in sorted({seed for seed, _ in done | broken}):
        missing = [str(fold) for fold in protocol.folds if (seed, fold) not in done | broken]
        if missing:
            reasons.append(f"seed {seed}: fold {', '.join(missing)} not run")
    return reasons


def is_eligible(marks: Marks, protocol: Protocol) -> bool:
    """Whether a record may be ranked: official, complete, its test clips unseen, its checkpoints selected on val."""
    return not (marks.unofficial or marks.incomplete or marks.seen) and protocol.selection.policy == "val"


def _unique(reasons: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(reasons))
