"""`benchmark pretrain`: the trainings that methods rest on, on any videos or on a dataset of images."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmark.cli.cluster_options import add_cluster_options, cluster_of, submit_workers
from benchmark.cli.output import add_json, note, positive, print_json
from benchmark.cli.run_options import add_changed, add_resources, add_tracking, resources_of


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
    pretrain.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")
    pretrain.add_argument("--set", action="append", default=[], dest="settings", metavar="K=V", help="change a setting")
    add_resources(pretrain)
    add_changed(pretrain)
    add_tracking(pretrain)
    pretrain.add_argument("--limit", type=positive, metavar="N", help="learn from N clips only, to try things")
    pretrain.add_argument(
        "-o", "--output", type=Path, default=Path("pretrained"), metavar="DIR", help="default: pretrained"
    )
    add_json(pretrain)
    add_cluster_options(pretrain)
    pretrain.set_defaults(function=pretrain_command)


def pretrain_command(options: argparse.Namespace) -> int:
    """`benchmark pretrain`."""
    from benchmark.cli.progress import Terminal
    from benchmark.library.pretrain import PretrainingRequest, check_pretraining, pretrain
    from benchmark.library.track import track
    from benchmark.units.initial_weights import MODEL, parse_init

    request = PretrainingRequest(
        method=options.method,
        stage=options.stage,
        preset=options.preset,
        videos=options.videos,
        datasets=tuple(options.dataset or ()),
        seed=options.seed,
        settings=tuple(options.settings),
        init=parse_init(options.init),
        limit=options.limit,
    )
    if cluster := cluster_of(options):
        # What a worker could only write into its log.
        check_pretraining(request, options.demo)
        return submit_workers(options, cluster, 1)
    with Terminal() as terminal:
        done = pretrain(
            request,
            data_root=options.data_root,
            demo=options.demo,
            output=options.output,
            resources=resources_of(options),
            watcher=track(options.track, options.output, terminal),
        )
    network = "" if done.network == MODEL else f"{done.network}="
    note(f"use it: benchmark run --method {options.method} --preset {done.preset} --init {network}{done.weights}")
    if options.json:
        print_json({**done.state.model_dump(mode="json"), "file": str(done.weights)})
    else:
        print(done.weights)
    return 0
