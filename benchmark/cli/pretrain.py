"""`benchmark pretrain`: the trainings that methods rest on, on any videos or on a dataset of images."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.cli.output import add_json, note, positive, print_json
from benchmark.errors import UsageError
from benchmark.fence import fenced
from benchmark.registry import registry

if TYPE_CHECKING:
    from benchmark.specs import MethodSpec, Pretraining
    from benchmark.units.pretraining import PretrainingUnit, Source

# What `--demo` learns from.
DEMO_VIDEOS, DEMO_CLIPS, DEMO_IMAGES = "dfew", "Clip/clip_224x224", "raf-db"


def add_commands(commands: Any) -> None:
    """Declare the commands of this module."""
    pretrain = commands.add_parser("pretrain", help="train what a method starts from; resumes by itself")
    pretrain.add_argument("--method", required=True, metavar="M", help="a name from `benchmark list methods`")
    pretrain.add_argument("--stage", metavar="NAME", help="which of its pre-trainings; see `benchmark show M`")
    source = pretrain.add_mutually_exclusive_group()
    source.add_argument("--videos", type=Path, metavar="DIR", help="learn from all videos and frame folders under DIR")
    source.add_argument(
        "--dataset",
        action="append",
        metavar="D",
        help="learn from the train part of this dataset of images; repeatable: together, on the classes that all have",
    )
    source.add_argument("--demo", action="store_true", help="on synthetic data, made here, with the small preset")
    pretrain.add_argument("--data-root", type=Path, metavar="DIR", help="where the datasets are")
    pretrain.add_argument(
        "--init", action="append", default=[], metavar="[NETWORK=]FILE", help="start from these weights; repeatable"
    )
    pretrain.add_argument("--preset", metavar="NAME", help="paper (default) or small (default with --demo)")
    pretrain.add_argument("--seed", type=int, default=0)
    pretrain.add_argument("--set", action="append", default=[], dest="settings", metavar="K=V", help="change a setting")
    pretrain.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda or cuda:N")
    pretrain.add_argument("--workers", type=int, help="processes that read clips; default: by device and cores")
    pretrain.add_argument("--limit", type=positive, metavar="N", help="learn from N clips only, to try things")
    pretrain.add_argument("-o", "--output", type=Path, default=Path("pretrained"), metavar="DIR")
    add_json(pretrain)
    pretrain.set_defaults(function=pretrain_command)


def pretrain_command(options: argparse.Namespace) -> None:
    """`benchmark pretrain`."""
    from benchmark.files import remove_leftovers
    from benchmark.locks import exclusive
    from benchmark.planning.settings import parse_settings
    from benchmark.units.initial_weights import hash_files, network_of, parse_init
    from benchmark.units.presets import changed_preset
    from benchmark.units.pretraining import WEIGHTS, PretrainingUnit, find_pretraining, is_done, read_state
    from benchmark.video.decoders import decoder_of

    method: MethodSpec = registry().find("methods", options.method)
    name, pretraining = find_pretraining(method, options.stage)
    preset = options.preset or ("small" if options.demo else "paper")
    if preset not in pretraining.presets:
        raise UsageError(f"{name} of {method.name} has no preset '{preset}'; it has: {', '.join(pretraining.presets)}")
    overrides = parse_settings(options.settings)
    chosen = changed_preset(pretraining.presets[preset], overrides)
    init = parse_init(options.init)
    for network in init:
        network_of(method, network)
    if chosen.epochs == 0:
        raise UsageError("--set epochs=0: a pre-training has to train")
    if chosen.balanced and pretraining.data == "videos":
        raise UsageError("--set balanced: videos are learned from without labels, so there are no classes to balance")
    source = _source(options, pretraining)
    unit = PretrainingUnit(
        method=method.name,
        method_version=method.version,
        pretraining=name,
        preset=preset,
        seed=options.seed,
        data=_fingerprint(source),
        decoder=decoder_of(source.root / row["path"] for row in source.rows),
        source=source.name,
        classes=source.classes,
        synthetic=source.synthetic,
        overrides=overrides,
        init=hash_files(init),
    )
    folder: Path = options.output / unit.folder
    if source.synthetic:
        note(f"SYNTHETIC DATA in {source.root}: these weights know nothing of real faces")
    state = read_state(folder, unit)
    if not is_done(folder, state):
        with exclusive(folder):
            remove_leftovers(folder)
            if not is_done(folder, read_state(folder, unit)):
                _train(unit, source, folder, options)
        state = read_state(folder, unit)
    weights = folder / WEIGHTS
    network = "" if pretraining.network == "model" else f"{pretraining.network}="
    note(f"use it: benchmark run --method {method.name} --preset {preset} --init {network}{weights}")
    if options.json:
        print_json({**state.model_dump(mode="json"), "file": str(weights)})
    else:
        print(weights)


def _source(options: argparse.Namespace, pretraining: Pretraining) -> Source:
    from dataclasses import replace

    from benchmark.cli.demo import demo_data
    from benchmark.planning.data import default_root
    from benchmark.planning.pretraining_sources import datasets_around, images, videos

    if pretraining.data == "videos":
        if options.dataset:
            raise UsageError(f"{pretraining.title} learns from unlabelled videos: give --videos DIR, not --dataset")
        if not (options.videos or options.demo):
            raise UsageError(f"{pretraining.title} learns from videos: give --videos DIR, or try --demo")
        source = videos(options.videos or demo_data([DEMO_VIDEOS]) / DEMO_VIDEOS / DEMO_CLIPS)
        for title in datasets_around(source.root):
            note(
                f"warning: {source.root} has clips of {title}: what is learned here will have seen its test clips, if "
                "without labels; say so wherever you report a score on it"
            )
    else:
        if options.videos:
            raise UsageError(f"{pretraining.title} learns from labelled images: give --dataset, not --videos")
        if not (options.dataset or options.demo):
            raise UsageError(f"{pretraining.title} learns from labelled images: give --dataset D, or try --demo")
        root = demo_data([DEMO_IMAGES]) if options.demo else default_root(options.data_root)
        source = images(options.dataset or [DEMO_IMAGES], root)
        if source.left_out:
            note(f"{source.left_out} images of classes that not all of {source.name} have are left out")
    if options.limit is None:
        return source
    return replace(source, rows=source.rows[: options.limit])


def _fingerprint(source: Source) -> str:
    from benchmark.files import hash_value

    return hash_value(list(source.rows))


def _train(unit: PretrainingUnit, source: Source, folder: Path, options: argparse.Namespace) -> None:
    """Only now is torch imported."""
    from benchmark.cli.progress import counting
    from benchmark.training.pretraining import PretrainingJob, pretrain
    from benchmark.training.unit import use_device
    from benchmark.units.initial_weights import parse_init
    from benchmark.units.presets import changed_preset
    from benchmark.units.pretraining import read_state, save_state
    from benchmark.units.state import LOG
    from benchmark.video.cache import cache_folder, plan_cache

    cores = os.cpu_count() or 1
    state = read_state(folder, unit)
    state.device = use_device(options.device, cores)
    workers = options.workers if options.workers is not None else (0 if state.device == "cpu" else min(8, cores - 1))
    job = PretrainingJob(unit, source, folder, cache_folder() / "frames", workers, parse_init(options.init))
    # Refuses what does not fit together before anything is written.
    epochs = job.config().train_cfg.max_epochs
    size = changed_preset(job.method.pretrainings[unit.pretraining].presets[unit.preset], unit.overrides).decode_size
    if size:
        note(str(plan_cache([source.root / row["path"] for row in source.rows], size, job.cache)))
    state.attempts += 1
    save_state(folder, state)
    note(f"{unit.method} {unit.pretraining}: {len(source.rows)} clips, {epochs} epochs; results in {folder}")
    with counting(f"pre-training {unit.method}") as report, fenced(f"{unit.method} {unit.pretraining}", folder / LOG):
        pretrain(
            job,
            state,
            lambda epoch, step, steps: report((epoch - 1) * steps + step, epochs * steps),
            lambda row: note(f"epoch {row['epoch']}/{epochs}  loss {row['loss']:.4f}  {row['seconds']:.1f} s"),
        )
