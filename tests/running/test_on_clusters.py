"""Workers started by hand, on Slurm and on Ray: the same predictions as one process makes, byte for byte."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import slurm_node

pytestmark = pytest.mark.slow

FOLDS = 5
RUN = ["run", "--protocol", "dfew-5fold", "--method", "tsm", "--augment", "midas", "--labels", "soft"]
RUN += ["--preset", "small", "--set", "epochs=4", "--jobs", "1", "--device", "cpu"]
BENCHMARK = [sys.executable, "-m", "benchmark"]


@pytest.fixture(scope="module", autouse=True)
def data(synthetic_root):
    """Where every worker finds the clips."""
    os.environ["BENCHMARK_DATA_ROOT"] = str(synthetic_root)
    yield
    del os.environ["BENCHMARK_DATA_ROOT"]


@pytest.fixture(scope="module")
def alone(data, tmp_path_factory):
    """What one process makes of it."""
    out = tmp_path_factory.mktemp("alone")
    subprocess.run([*BENCHMARK, *RUN, "-o", str(out)], check=True, capture_output=True)
    return results(out)


def results(out: Path) -> dict[str, bytes]:
    names = ("predictions.val.csv.gz", "predictions.test.csv.gz", "scores.json")
    return {str(path.relative_to(out)): path.read_bytes() for name in names for path in out.rglob(name)}


def check(out: Path, alone: dict[str, bytes]) -> None:
    assert len(alone) == 3 * FOLDS
    assert results(out) == alone
    (record,) = out.rglob("record.json")
    assert len(json.loads(record.read_text())["units"]) == FOLDS
    status = subprocess.run([*BENCHMARK, "status", str(out), "--json"], check=True, capture_output=True, text=True)
    assert {unit["status"] for unit in json.loads(status.stdout)["units"]} == {"scored"}


def attempts(out: Path) -> list[int]:
    return sorted(json.loads(path.read_text())["attempts"] for path in out.rglob("state.json"))


# Machines of one's own by name and by the numbering of their processes, as containers are.
OTHER_HOST = ["unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]


def test_two_workers_started_by_hand_on_machines_of_different_names(alone, tmp_path):
    if subprocess.run([*OTHER_HOST, "true"], capture_output=True, check=False).returncode:
        pytest.skip("unshare --uts --pid is not allowed here")
    work = [*BENCHMARK, "work", *RUN, "-o", str(tmp_path)]
    hosts = [[*OTHER_HOST, "sh", "-c", f'hostname {name} && exec "$0" "$@"', *work] for name in ("one", "other")]
    workers = [subprocess.Popen(host, stderr=subprocess.PIPE, text=True) for host in hosts]
    # One of them is killed with its unit half done, and comes back, as a third machine would.
    while not any(path.stat().st_size for path in tmp_path.rglob("metrics.jsonl")):
        assert workers[0].poll() is None
        time.sleep(0.1)
    workers[0].kill()
    workers[0].communicate()
    workers[0] = subprocess.Popen(hosts[0], stderr=subprocess.PIPE, text=True)
    errors = [worker.communicate()[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], errors
    check(tmp_path, alone)


@pytest.mark.skipif(bool(slurm_node.missing()), reason=slurm_node.missing())
@pytest.mark.skipif(importlib.util.find_spec("submitit") is None, reason="submitit is missing")
def test_workers_on_slurm_of_which_one_is_pre_empted(alone, tmp_path):
    out = tmp_path / "runs"
    (tmp_path / "cluster.yaml").write_text("workers: 3\nhours: 1\n")
    with slurm_node.slurm(tmp_path / "slurm") as environment:
        command = [*BENCHMARK, *RUN, "-o", str(out), "--on", "slurm", "--cluster", str(tmp_path / "cluster.yaml")]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        jobs = done.stdout.split()
        assert len(jobs) == 3
        while not any(path.stat().st_size for path in out.rglob("metrics.jsonl")):
            time.sleep(0.5)
        # As Slurm tells a job that its time is over, or that others need its place.
        subprocess.run(["scancel", "--signal=USR2", jobs[0]], env=environment, check=True)
        wait_for_slurm(environment)
    logs = "".join(path.read_text() for path in (out / "logs").glob("*_log.*"))
    assert "Exiting gracefully after preemption/timeout" in logs
    assert max(attempts(out)) > 1, logs
    check(out, alone)


@pytest.mark.skipif(bool(slurm_node.missing()), reason=slurm_node.missing())
def test_the_printed_script_is_one_that_sbatch_takes(alone, tmp_path):
    out = tmp_path / "runs"
    (tmp_path / "cluster.yaml").write_text("workers: 2\n")
    with slurm_node.slurm(tmp_path / "slurm") as environment:
        command = [*BENCHMARK, *RUN, "-o", str(out), "--on", "slurm", "--cluster", str(tmp_path / "cluster.yaml")]
        script = subprocess.run([*command, "--print-script"], check=True, capture_output=True, text=True).stdout
        subprocess.run(["sbatch"], input=script, text=True, env=environment, check=True, capture_output=True)
        wait_for_slurm(environment)
    assert len(list((out / "logs").glob("*.log"))) == 2
    check(out, alone)


def wait_for_slurm(environment: dict[str, str]) -> None:
    def left() -> str:
        queue = ["squeue", "--noheader"]
        return subprocess.run(queue, env=environment, check=True, capture_output=True, text=True).stdout

    while left().strip():
        time.sleep(1)


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is missing: pip install 'ray>=2.40,<3'")
def test_workers_on_ray(alone, tmp_path):
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "RAY_ADDRESS": f"127.0.0.1:{port}", "RAY_TMPDIR": "/tmp"}
    ray = [sys.executable, "-m", "ray.scripts.scripts"]
    options = ["--head", "--num-cpus", "2", "--include-dashboard=false", "--disable-usage-stats", f"--port={port}"]
    head = subprocess.Popen([*ray, "start", *options, "--block"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 300
        while socket.socket().connect_ex(("127.0.0.1", port)):
            assert time.monotonic() < deadline
            time.sleep(0.5)
        command = [*BENCHMARK, *RUN, "-o", str(tmp_path), "--on", "ray"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    finally:
        head.terminate()
        head.wait()
    assert done.returncode == 0, done.stderr
    check(tmp_path, alone)
