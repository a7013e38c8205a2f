"""Workers on a cluster: what each of them asks for, and the script by which Slurm starts them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmark.errors import UsageError
from benchmark.plain_yaml import read_yaml
from benchmark.validation import problems_of

NAME = "benchmark"
LOGS = "logs"
# Workers that are started if nobody says how many: as many as there are units, up to this.
MOST_WORKERS = 64
# Seconds before the end of a worker's time at which it is told to stop.
NOTICE = 90


class Cluster(BaseModel):
    """A cluster's options, as in the file that `--cluster` names.

    workers: how many are started, by default one for each unit, up to 64. cpus_per_worker: 1 if not given, with which
    a worker reads its clips by itself. memory_gb, partition: by default the cluster's own. hours: after which a worker
    ends, and begins again. setup: shell commands before it starts. slurm: further options of `sbatch`, by their names.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    workers: int | None = Field(default=None, ge=1)
    gpus_per_worker: int = Field(default=0, ge=0)
    cpus_per_worker: int = Field(default=1, ge=1)
    memory_gb: float | None = Field(default=None, gt=0)
    hours: float = Field(default=24.0, gt=0)
    partition: str | None = None
    setup: tuple[str, ...] = ()
    slurm: dict[str, str | int | float | bool] = Field(default_factory=dict)

    @property
    def minutes(self) -> int:
        """How long a worker may take."""
        return max(round(60 * self.hours), 1)

    def workers_for(self, units: int) -> int:
        """How many workers are started for so many units."""
        return self.workers or min(units, MOST_WORKERS)


def read_cluster(path: Path | None, changes: Mapping[str, Any]) -> Cluster:
    """The options in a YAML file, if there is one, with changes; UsageError names what is wrong."""
    if path is not None and not path.is_file():
        raise UsageError(f"{path}: there is no such file of a cluster's options")
    given = {} if path is None else read_yaml(path)
    if not isinstance(given, dict):
        raise UsageError(f"{path}: a cluster's options are keys with values, such as `partition: gpu`")
    try:
        return Cluster(**{**given, **changes})
    except (ValidationError, TypeError) as error:
        lines = problems_of(error, str(path or "--on"), Cluster) if isinstance(error, ValidationError) else [str(error)]
        raise UsageError("\n".join(lines)) from error


def sbatch_script(cluster: Cluster, command: Sequence[str], workers: int, folder: Path, logs: Path) -> str:
    """What `sbatch` starts the workers by; a worker that is pre-empted is queued again.

    folder: where they are started. logs: where what they print goes.
    """
    options: dict[str, Any] = {
        "job-name": NAME,
        "array": f"0-{workers - 1}",
        "output": logs / "%A_%a.log",
        "open-mode": "append",
        "requeue": True,
        # To the worker itself, which the script becomes.
        "signal": f"B:TERM@{NOTICE}",
        "time": cluster.minutes,
        "cpus-per-task": cluster.cpus_per_worker,
        "partition": cluster.partition,
        "gpus-per-node": cluster.gpus_per_worker or None,
        "mem": None if cluster.memory_gb is None else f"{round(1024 * cluster.memory_gb)}M",
        **{name.replace("_", "-"): value for name, value in cluster.slurm.items()},
    }
    lines = [_option(name, value) for name, value in options.items() if value is not None and value is not False]
    return "\n".join(
        ["#!/bin/bash", *lines, *cluster.setup, f"cd {shlex.quote(str(folder))} || exit", f"exec {shlex.join(command)}"]
    )


def _option(name: str, value: Any) -> str:
    return f"#SBATCH --{name}" if value is True else f"#SBATCH --{name}={value}"
