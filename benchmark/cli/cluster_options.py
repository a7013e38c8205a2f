"""The options by which `run`, `sweep` and `pretrain` start their workers on a cluster."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.cli.output import note, print_json
from benchmark.errors import UsageError

if TYPE_CHECKING:
    from benchmark.running.cluster import Cluster


def add_cluster_options(parser: argparse.ArgumentParser) -> None:
    """Where the work is done, if not here."""
    group = parser.add_argument_group("on a cluster")
    group.add_argument("--on", choices=("slurm", "ray"), help="let workers there do it")
    group.add_argument("--cluster", type=Path, metavar="FILE", help="a YAML file: what each worker asks for")
    group.add_argument("--partition", metavar="P", help="of Slurm")
    group.add_argument("--gpus-per-worker", type=int, metavar="N", help="default: 0")
    group.add_argument("--print-script", action="store_true", help="print what sbatch would be given, and stop")


def cluster_of(options: argparse.Namespace) -> Cluster | None:
    """What the workers ask for; None where the work is done here."""
    from benchmark.running.cluster import read_cluster

    given = {"partition": options.partition, "gpus_per_worker": options.gpus_per_worker}
    changes = {name: value for name, value in given.items() if value is not None}
    if not options.on:
        if options.cluster or changes or options.print_script:
            raise UsageError("--cluster, --partition, --gpus-per-worker and --print-script go with --on")
        return None
    if options.on == "ray" and (options.print_script or options.partition):
        raise UsageError("--print-script and --partition go with --on slurm")
    return read_cluster(options.cluster, changes)


def submit_workers(options: argparse.Namespace, cluster: Cluster, units: int) -> int:
    """Start the workers, or print the script, and say how to see what becomes of them."""
    from benchmark.library.submit import log_folder, script, submit

    if not units:
        note("nothing is left to do; the same command without --on shows it")
        return 0
    command = worker_command(options)
    if options.print_script:
        print(script(command, cluster, units, options.output))
        return 0
    note(f"{units} units for {cluster.workers_for(units)} workers; logs: {log_folder(options.output)}")
    note(f"who is at work, and how long it will take: benchmark status {options.output}")
    started = submit(command, options.on, cluster, units, options.output)
    if options.json:
        print_json({"jobs": list(started.jobs), "logs": str(started.logs), "codes": list(started.codes)})
    elif started.jobs:
        print(" ".join(started.jobs))
    if started.jobs:
        job = started.jobs[0].partition("_")[0]
        note(f"submitted; `squeue -j {job}` shows them, `scancel {job}` ends them; nothing finished is lost")
    if any(started.codes):
        note(f"{sum(map(bool, started.codes))} of {len(started.codes)} workers failed: see their logs")
    elif started.codes:
        note("all workers have ended; the same command without --on shows the result")
    return int(any(started.codes))


def worker_command(options: argparse.Namespace) -> list[str]:
    """The command line of one worker: the one that was given, without what is said of the cluster."""
    known = argparse.ArgumentParser(add_help=False)
    add_cluster_options(known)
    for name in ("--again", "--keep"):
        known.add_argument(name, action="store_true")
    _, rest = known.parse_known_args(options.arguments)
    if options.command != "pretrain":
        rest.insert(rest.index(options.command), "work")
    return [sys.executable, "-m", "benchmark", *rest]
