"""The record of a run, from the units that lie in its folder."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmark.errors import IntegrityError
from benchmark.fence import PluginFault, fenced
from benchmark.files import read_text
from benchmark.planning.data import Data
from benchmark.records import (
    AugmentationUse,
    CodeState,
    Cost,
    DataUse,
    Environment,
    FailedUnit,
    FileReference,
    MethodUse,
    Overrides,
    PredictionFiles,
    Record,
    Splits,
    SplitUse,
    UnitRecord,
    UnitScores,
    assemble_record,
)
from benchmark.registry import registry
from benchmark.running.provenance import git_state, package_versions, platform_name, plugin_use
from benchmark.scoring.predictions import read_predictions
from benchmark.units.presets import preset_of_unit, resolved
from benchmark.units.recipe_text import views_text
from benchmark.units.state import SCORES, STATE, UnitState, predictions_name, read_state
from benchmark.units.unit import Unit
from benchmark.version import __version__


def begun(folder: Path) -> bool:
    """Whether any unit in `folder` has got so far that a record could say something of it: scored, or failed."""
    states = (read_state(path.parent) for path in folder.glob(f"seed-*/fold-*/{STATE}"))
    return any(state is not None and state.status in ("scored", "failed") for state in states)


def make_record(folder: Path, data: Data) -> Record:
    """The record over every unit in `folder`, also those of earlier commands; unfinished ones are left out.

    folder: `Unit.record_folder`, below which only seed and fold differ.
    """
    states = {path.parent: read_state(path.parent) for path in sorted(folder.glob(f"seed-*/fold-*/{STATE}"))}
    found = {path: state for path, state in states.items() if state is not None}
    if not found:
        raise IntegrityError(f"{folder}: holds no unit")
    scored = {path: state for path, state in found.items() if state.status == "scored"}
    unit = next(iter(found.values())).unit
    method = registry().find("methods", unit.method)
    augmentations = [(chosen, registry().find("augmentations", chosen.name)) for chosen in unit.augmentations]
    parameters = next((state.parameters for state in found.values() if state.parameters is not None), 0)
    gflops = next((state.gflops for state in found.values() if state.gflops is not None), None)
    commit, dirty = git_state()
    return assemble_record(
        protocol=unit.protocol,
        metrics=[registry().find("metrics", name) for name in unit.protocol.metrics],
        method=MethodUse(
            name=method.name,
            title=method.title,
            version=unit.method_version,
            preset=unit.preset,
            pretraining=preset_of_unit(unit).pretraining,
            parameters=parameters,
            gflops=gflops,
            official_evaluation=method.official_evaluation,
            recipe=_recipe(unit),
            plugin=plugin_use("methods", method.name, unit.code),
            views=views_text(preset_of_unit(unit)) if unit.views else None,
            needs=list(method.needs),
        ),
        augmentations=[
            AugmentationUse(
                name=spec.name,
                version=chosen.version,
                options={**spec.options, **chosen.options},
                plugin=plugin_use("augmentations", spec.name, unit.code),
            )
            for chosen, spec in augmentations
        ],
        label_mode=unit.labels,
        overrides=Overrides(protocol=unit.protocol_overrides, recipe=unit.overrides),
        init=unit.init,
        initial=next((state.initial for state in scored.values() if state.initial is not None), None),
        tested=_tested(scored) if unit.init else None,
        data=DataUse(
            dataset=data.layout.name,
            frame_source=unit.protocol.frames.source,
            synthetic=unit.synthetic,
            fingerprint=unit.data,
            decoder=unit.decoder,
            crops=unit.crops,
            clips=data.clips,
        ),
        units=[_unit_record(path, folder, state) for path, state in scored.items()],
        failed=[
            FailedUnit(seed=state.unit.seed, fold=state.unit.fold, error=state.error or "")
            for state in found.values()
            if state.status == "failed"
        ],
        environment=Environment(
            python=platform.python_version(), platform=platform_name(), packages=package_versions()
        ),
        code=CodeState(version=__version__, commit=commit, dirty=dirty),
        unofficial=[
            *([f"at most {unit.limit} clips per split were used"] if unit.limit else []),
            *(f"the data are not the published ones: {deviation}" for deviation in data.deviations),
        ],
        # The time of the last result, so that the same results give the same record.
        created=datetime.fromtimestamp(max(state.heartbeat for state in found.values()), UTC),
    )


def _recipe(unit: Unit) -> dict[str, Any] | None:
    """What it was trained by; None of a plugin that is broken, whose units have failed with the reason."""
    try:
        with fenced(unit.variant):
            return resolved(unit)
    except PluginFault:
        return None


def _tested(scored: Mapping[Path, UnitState]) -> dict[int, list[str]]:
    """The ids of each fold's test clips, or of what is scored in them."""
    tested: dict[int, list[str]] = {}
    for path, state in scored.items():
        predictions = read_predictions(path / predictions_name("test"), state.unit.protocol.classes)
        tested.setdefault(state.unit.fold, []).extend(predictions.ids)
    return tested


def _unit_record(path: Path, folder: Path, state: UnitState) -> UnitRecord:
    assert state.selected is not None
    splits = {name: SplitUse(clips=facts.clips, sha256=facts.sha256) for name, facts in state.splits.items()}
    references = {
        split: FileReference(path=(path / predictions_name(split)).relative_to(folder).as_posix(), sha256=sha256)
        for split, sha256 in state.predictions.items()
    }
    return UnitRecord(
        seed=state.unit.seed,
        fold=state.unit.fold,
        identity=state.identity,
        selected_epoch=state.selected.epoch,
        epochs=state.selected.epochs,
        selection_value=state.selected.value,
        splits=Splits(**splits),
        checkpoint_sha256=state.selected.sha256,
        predictions=PredictionFiles(**references),
        scores=UnitScores.model_validate_json(read_text(path / SCORES)),
        cost=Cost(
            train_seconds=round(state.cost.train_seconds, 3),
            predict_seconds=round(state.cost.predict_seconds, 3),
            attempts=state.attempts,
            device=state.cost.device,
            computing=state.cost.computing,
            batch_statistics=state.cost.batch_statistics,
            hardware=state.cost.hardware,
        ),
        test_looks=state.test_looks,
        dropped=state.dropped,
        kept=state.kept,
    )
