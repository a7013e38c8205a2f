"""Workers on Slurm, started by submitit: an array of jobs, each of which is one worker."""

from __future__ import annotations

import importlib
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmark.errors import EnvironmentProblem
from benchmark.running.cluster import NAME, NOTICE, Cluster

# A worker that has not finished when its time is over is started again, in effect as often as it takes.
MOST_STARTS = 1000


class Worker:
    """A command as what submitit runs; pickled by reference, so that the machines need the same installation."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self.command = list(command)
        self.folder = str(folder)

    def __call__(self) -> None:
        """Run it to its end; raises where it fails, so that the job counts as failed."""
        process = subprocess.Popen(self.command, cwd=self.folder, preexec_fn=_ignore_notice)
        try:
            code = process.wait()
        finally:
            # What is told to stop lets its unit go, so that nobody has to wait until that is noticed.
            if process.poll() is None:
                process.terminate()
                process.wait()
        if code:
            raise RuntimeError(f"the worker ended with exit code {code}; the log beside this one says why")

    def checkpoint(self) -> Any:
        """What submitit starts again after a pre-emption, or when the time is over: the same."""
        return importlib.import_module("submitit").helpers.DelayedSubmission(self)


def _ignore_notice() -> None:
    # The signal by which Slurm announces the end is for submitit; a worker that it reached would just die.
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)


def submit(
    cluster: Cluster, command: Sequence[str], workers: int, folder: Path, logs: Path, executor: str = "slurm"
) -> list[Any]:
    """Start the workers; submitit's jobs.

    executor: `local` starts them on this machine, which is how the rest is tested.
    """
    try:
        submitit = importlib.import_module("submitit")
    except ImportError as error:
        raise EnvironmentProblem(
            "submitit is missing: pip install 'dfer-benchmark[slurm]', or use --print-script, which needs nothing"
        ) from error
    if executor == "slurm" and not shutil.which("sbatch"):
        raise EnvironmentProblem("there is no `sbatch` here: run this on a machine from which jobs are submitted")
    starter = submitit.AutoExecutor(folder=logs, cluster=executor, slurm_max_num_timeout=MOST_STARTS)
    options = {
        "slurm_partition": cluster.partition,
        "slurm_setup": list(cluster.setup) or None,
        "slurm_additional_parameters": dict(cluster.slurm) or None,
        "mem_gb": cluster.memory_gb,
        "gpus_per_node": cluster.gpus_per_worker or None,
    }
    starter.update_parameters(
        name=NAME,
        timeout_min=cluster.minutes,
        cpus_per_task=cluster.cpus_per_worker,
        slurm_signal_delay_s=NOTICE,
        **{name: value for name, value in options.items() if value is not None},
    )
    worker = Worker(command, folder)
    try:
        # Together they are one array.
        with starter.batch():
            return [starter.submit(worker) for _ in range(workers)]
    except submitit.core.utils.FailedJobError as error:
        raise EnvironmentProblem(f"Slurm refused the jobs: {' '.join(str(error).split())}") from error
