"""Starting workers on a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmark.running.cluster import LOGS, Cluster, sbatch_script
from benchmark.running.on_ray import run_on_ray
from benchmark.running.slurm import submit as submit_to_slurm

Engine = Literal["slurm", "ray"]


@dataclass(frozen=True)
class Submitted:
    """Workers that were started; codes: how they ended, where that was waited for."""

    jobs: tuple[str, ...]
    logs: Path
    codes: tuple[int, ...] = ()


def submit(command: Sequence[str], engine: Engine, cluster: Cluster, units: int, output: Path | str) -> Submitted:
    """Start workers that run `command`, in this folder, each on a machine of its own.

    On Slurm this returns when they are queued, on Ray when they have ended. units: that are to be done. Their logs go
    to `output`. Raises EnvironmentProblem where the cluster or its package is missing.
    """
    logs = log_folder(output)
    workers = cluster.workers_for(units)
    if engine == "ray":
        return Submitted((), logs, tuple(run_on_ray(cluster, command, workers, Path.cwd(), logs)))
    jobs = submit_to_slurm(cluster, command, workers, Path.cwd(), logs)
    return Submitted(tuple(job.job_id for job in jobs), logs)


def script(command: Sequence[str], cluster: Cluster, units: int, output: Path | str) -> str:
    """The script by which `sbatch` starts what `submit` would start."""
    return sbatch_script(cluster, command, cluster.workers_for(units), Path.cwd(), log_folder(output))


def log_folder(output: Path | str) -> Path:
    """Where the workers' logs go; made here, because Slurm fails without a word where it is missing."""
    logs = (Path(output) / LOGS).absolute()
    logs.mkdir(parents=True, exist_ok=True)
    return logs
