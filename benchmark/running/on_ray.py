"""Workers on a Ray cluster that is there already: one task each, which Ray starts again where a machine is lost."""

from __future__ import annotations

import importlib
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmark.errors import EnvironmentProblem
from benchmark.running.cluster import NAME, Cluster


def run_on_ray(
    cluster: Cluster, command: Sequence[str], workers: int, folder: Path, logs: Path, address: str = "auto"
) -> list[int]:
    """Run the workers to their ends; their exit codes. An interrupt ends them."""
    try:
        ray = importlib.import_module("ray")
    except ImportError as error:
        raise EnvironmentProblem("ray is missing: pip install 'dfer-benchmark[ray]'") from error
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", namespace=NAME)
    except ConnectionError as error:
        raise EnvironmentProblem(
            "no Ray cluster was found: set RAY_ADDRESS, or start one with `ray start --head`"
        ) from error
    try:
        task = ray.remote(work).options(
            name=NAME,
            num_cpus=cluster.cpus_per_worker,
            num_gpus=cluster.gpus_per_worker,
            memory=None if cluster.memory_gb is None else round(cluster.memory_gb * 2**30),
            # Those whose machine is lost, or pre-empted; a worker that fails by itself is not started again.
            max_retries=-1,
        )
        tasks = [
            task.remote(list(command), str(folder), str(logs / f"ray-{number}.log"), list(cluster.setup))
            for number in range(workers)
        ]
        codes: list[Any] = ray.get(tasks)
        return codes
    finally:
        ray.shutdown()


def work(command: list[str], folder: str, log: str, setup: list[str]) -> int:
    """Run one worker on the machine where Ray has room for it; its exit code."""
    lines = "\n".join([*setup, 'exec "$0" "$@"'])
    with open(log, "a", encoding="utf-8") as file:
        return subprocess.run(
            ["bash", "-c", lines, *command], cwd=folder, stdout=file, stderr=subprocess.STDOUT, check=False
        ).returncode
