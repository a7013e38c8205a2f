"""`benchmark.pretrain`: the trainings that methods start from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmark.errors import UsageError
from benchmark.fence import fenced
from benchmark.files import remove_leftovers
from benchmark.locks import exclusive
from benchmark.planning.data import default_root
from benchmark.planning.demo import demo as demo_choices
from benchmark.planning.demo import demo_data
from benchmark.planning.pretraining_sources import images, videos
from benchmark.planning.settings import parse_settings
from benchmark.registry import registry
from benchmark.running.machine import Resources
from benchmark.running.team import compute_together, device_for_each
from benchmark.running.torchrun import started_by_torchrun, team_size
from benchmark.specs import NO_PRETRAINING, Preset, Pretraining
from benchmark.units.computing import check_computing
from benchmark.units.description import described_pretraining
from benchmark.units.initial_weights import hash_files, network_of
from benchmark.units.presets import changed_preset
from benchmark.units.pretraining import (
    WEIGHTS,
    PretrainingState,
    PretrainingUnit,
    Source,
    find_pretraining,
    is_done,
    read_state,
    save_state,
    settle,
)
from benchmark.units.state import LOG
from benchmark.video.cache import cache_folder, plan_cache
from benchmark.video.decoders import decoder_of
from benchmark.watcher import Watcher

PRETRAINED = Path("pretrained")


@dataclass(frozen=True)
class PretrainingRequest:
    """What is to be pre-trained, and from what.

    stage: which of the method's pre-trainings, where it has several. preset: by default `paper`, or `small` on the
    demo's data. videos: a folder of videos and frame folders. datasets: such of labelled
    images, under the data root; several are learned from together.
    init: a weight file for each network that starts from one. limit: at most so many clips.
    """

    method: str
    stage: str | None = None
    preset: str | None = None
    videos: Path | None = None
    datasets: tuple[str, ...] = ()
    seed: int = 0
    settings: tuple[str, ...] = ()
    init: Mapping[str, Path] | None = None
    limit: int | None = None


@dataclass(frozen=True)
class Pretrained:
    """A finished pre-training: its weight file, the network that starts from it, and how it went."""

    weights: Path
    network: str
    preset: str
    state: PretrainingState


def pretrain(
    request: PretrainingRequest,
    *,
    data_root: Path | str | None = None,
    demo: bool = False,
    output: Path | str = PRETRAINED,
    resources: Resources | None = None,
    watcher: Watcher | None = None,
) -> Pretrained:
    """Train what a method starts from, or continue; what is finished is not trained again.

    Where another process is at it, this one waits, and continues if that one dies.
    Errors are as for `benchmark.run`.
    """
    watcher, resources, init = watcher or Watcher(), resources or Resources(), request.init or {}
    chosen, preset, overrides = check_pretraining(request, demo)
    method = registry().find("methods", request.method)
    name, pretraining = find_pretraining(method, request.stage)
    source = _source(request, pretraining, data_root, demo, watcher)
    unit = PretrainingUnit(
        method=method.name,
        method_version=method.version,
        pretraining=name,
        preset=preset,
        seed=request.seed,
        data=source.fingerprint,
        decoder=decoder_of(source.root / sample["path"] for sample in source.samples),
        source=source.name,
        classes=source.classes,
        synthetic=source.synthetic,
        overrides=overrides,
        init=hash_files(init),
    )
    unit = described_pretraining(unit)
    folder = Path(output) / unit.folder
    settle(folder, unit, resources.changed)
    if chosen.pretraining != NO_PRETRAINING and not init:
        watcher.note(
            f"warning: no pre-training: {name} starts from fresh weights, unlike in the paper; give some with --init"
        )
    if source.synthetic:
        watcher.note(f"SYNTHETIC DATA in {source.root}: these weights know nothing of real faces")
    state = read_state(folder, unit)
    if not is_done(folder, state):
        with exclusive(folder, math.inf, watcher.note):
            remove_leftovers(folder)
            if not is_done(folder, read_state(folder, unit)):
                try:
                    _compute(unit, source, folder, init, resources, watcher)
                finally:
                    watcher.ended()
        state = read_state(folder, unit)
    return Pretrained(folder / WEIGHTS, pretraining.network, preset, state)


def check_pretraining(request: PretrainingRequest, demo: bool = False) -> tuple[Preset, str, dict[str, Any]]:
    """The preset with its settings, its name, and these; UsageError for what no data could make right."""
    method = registry().find("methods", request.method)
    name, pretraining = find_pretraining(method, request.stage)
    preset = request.preset or ("small" if demo else "paper")
    if preset not in pretraining.presets:
        raise UsageError(f"{name} of {method.name} has no preset '{preset}'; it has: {', '.join(pretraining.presets)}")
    overrides = parse_settings(request.settings)
    chosen = changed_preset(pretraining.presets[preset], overrides)
    for network in request.init or {}:
        network_of(method, network)
    if chosen.epochs == 0:
        raise UsageError("--set epochs=0: a pre-training has to train")
    if chosen.balanced and pretraining.data == "videos":
        raise UsageError("--set balanced: videos are learned from without labels, so there are no classes to balance")
    return chosen, preset, overrides


def _source(
    request: PretrainingRequest, pretraining: Pretraining, data_root: Path | str | None, demo: bool, watcher: Watcher
) -> Source:
    known = demo_choices()
    if pretraining.data == "videos":
        if request.datasets:
            raise UsageError(f"{pretraining.title} learns from unlabelled videos: give --videos DIR, not --dataset")
        if not (request.videos or demo):
            raise UsageError(f"{pretraining.title} learns from videos: give --videos DIR, or try --demo")
        place = request.videos or _demo_videos(known.videos, watcher)
        source = videos(place)
        for name in source.datasets:
            title = registry().datasets[name].title if name in registry().datasets else name
            watcher.note(
                f"warning: {source.root} has clips of {title}: what is learned here will have "
                "seen its test clips, if without labels; a run on it that starts from this is marked and not ranked, "
                "unless none of its test clips was among these"
            )
    else:
        if request.videos:
            raise UsageError(f"{pretraining.title} learns from labelled images: give --dataset, not --videos")
        if not (request.datasets or demo):
            raise UsageError(f"{pretraining.title} learns from labelled images: give --dataset D, or try --demo")
        names = request.datasets or (known.images["dataset"],)
        root = demo_data(names, watcher) if demo else default_root(Path(data_root) if data_root else None)
        source = images(names, root)
        if source.left_out:
            watcher.note(f"{source.left_out} images of classes that not all of {source.name} have are left out")
    if request.limit is None:
        return source
    return replace(source, samples=source.samples[: request.limit], ids=source.ids[: request.limit])


def _demo_videos(known: Mapping[str, str], watcher: Watcher) -> Path:
    return demo_data([known["dataset"]], watcher) / known["dataset"] / known["folder"]


def _compute(
    unit: PretrainingUnit,
    source: Source,
    folder: Path,
    init: Mapping[str, Path],
    resources: Resources,
    watcher: Watcher,
) -> None:
    """Train here, or in several processes."""
    work = (unit, source, folder, init, resources)
    size = team_size(resources.gpus)
    if size == 1 or started_by_torchrun() > 1:
        _train(*work, watcher)
    else:
        compute_together(device_for_each(size, resources.device), _train, work, watcher)


def _train(
    unit: PretrainingUnit,
    source: Source,
    folder: Path,
    init: Mapping[str, Path],
    resources: Resources,
    watcher: Watcher,
) -> None:
    """Only now is torch imported, and MMEngine not before the device was chosen: see `choose_device`."""
    from benchmark.training.devices import compute_by, has_bf16, use_device

    state = read_state(folder, unit)
    state.device = use_device(resources.device)
    from benchmark.training.pretraining import PretrainingJob
    from benchmark.training.pretraining import pretrain as train

    computing = resources.computing_on(has_bf16())
    compute_by(computing)
    if state.epoch:
        if resources.micro_batch == "auto":
            computing = computing.model_copy(update={"micro_batch": state.computing.micro_batch})
        check_computing(folder, state.computing, computing)
    state.computing = computing
    workers = resources.workers_on(state.device != "cpu")
    job = PretrainingJob(
        unit, source, folder, cache_folder() / "frames", workers, init, computing, resources.checkpointing
    )
    # Refuses what does not fit together before anything is written.
    epochs = job.config().train_cfg.max_epochs
    if job.preset.decode_size:
        paths = [source.root / sample["path"] for sample in source.samples]
        watcher.note(str(plan_cache(paths, job.preset.decode_size, job.cache)))
    state.attempts += 1
    save_state(folder, state)
    watcher.note(f"{unit.method} {unit.pretraining}: {len(source.samples)} clips, {epochs} epochs; results in {folder}")
    watcher.note(f"computing in {computing} on {state.device}")
    called = f"{unit.method} {unit.pretraining}"
    with watcher.counting(f"pre-training {unit.method}") as report, fenced(called, folder / LOG):
        train(
            job,
            state,
            lambda epoch, step, steps: report((epoch - 1) * steps + step, epochs * steps),
            lambda row: watcher.pretraining_epoch(unit, row, epochs),
            warn=watcher.note,
            find=resources.micro_batch == "auto",
        )
