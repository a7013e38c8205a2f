"""Starting workers on a cluster: what they are asked for and told, and workers of submitit on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.cli.cluster_options import worker_command
from benchmark.cli.main import build_parser, main
from benchmark.errors import EnvironmentProblem, UsageError
from benchmark.running import slurm
from benchmark.running.cluster import Cluster, read_cluster, sbatch_script
from benchmark.running.on_ray import work

RUN = ["run", "--protocol", "dfew-5fold", "--method", "tsm", "--preset", "small", "--folds", "1-2", "--limit", "8"]


def parsed(arguments):
    options = build_parser().parse_args(arguments)
    options.arguments = arguments
    return options


@pytest.mark.parametrize(
    ("given", "worker"),
    [
        ("run --protocol P --on slurm --jobs 2", "work run --protocol P --jobs 2"),
        ("--debug run --on=slurm --protocol P --partition gpu -o out", "--debug work run --protocol P -o out"),
        ("sweep FILE --gpus-per-worker 1 --on slurm --cluster c.yaml --set a=b", "work sweep FILE --set a=b"),
        ("run --protocol run --on ray --again --seeds 0,1", "work run --protocol run --seeds 0,1"),
        ("pretrain --method M --on slurm --keep --seed 3", "pretrain --method M --seed 3"),
    ],
)
def test_a_worker_is_asked_for_what_the_command_was_asked_for(given, worker):
    assert worker_command(parsed(given.split())) == [sys.executable, "-m", "benchmark", *worker.split()]
    build_parser().parse_args(worker.split())


def test_the_script_says_what_each_worker_needs_and_runs_as_it_is(tmp_path):
    cluster = Cluster(
        partition="gpu",
        gpus_per_worker=1,
        cpus_per_worker=8,
        memory_gb=64,
        hours=1.5,
        setup=("SAID='a  b'", "export SAID"),
    )
    cluster = cluster.model_copy(update={"slurm": {"account": "mine", "exclusive": True}})
    command = [
        sys.executable,
        "-c",
        "import os, sys; print(os.getcwd(), os.environ['SAID'], sys.argv[1])",
        "it's $HOME",
    ]
    (tmp_path / "a folder").mkdir()
    script = sbatch_script(cluster, command, 3, tmp_path / "a folder", tmp_path / "logs")
    asked = {line.removeprefix("#SBATCH --") for line in script.splitlines() if line.startswith("#SBATCH")}
    assert asked >= {"array=0-2", "partition=gpu", "gpus-per-node=1", "cpus-per-task=8", "mem=65536M", "time=90"}
    assert asked >= {"requeue", "account=mine", "exclusive", f"output={tmp_path}/logs/%A_%a.log", "signal=B:TERM@90"}
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == f"{tmp_path}/a folder a  b it's $HOME\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("partitoin: gpu", "partitoin: Extra inputs are not permitted (known keys: workers, "),
        ("hours: -1", "hours: Input should be greater than 0"),
        ("- gpu", "a cluster's options are keys with values"),
        ("1: 2", "keywords must be strings"),
    ],
)
def test_what_is_wrong_with_a_file_of_options_is_said(text, said, tmp_path):
    (tmp_path / "cluster.yaml").write_text(text)
    with pytest.raises(UsageError) as error:
        read_cluster(tmp_path / "cluster.yaml", {})
    assert said in str(error.value)


def test_options_of_the_command_line_change_those_of_the_file(tmp_path):
    (tmp_path / "cluster.yaml").write_text("partition: cpu\nhours: 2\n")
    assert read_cluster(tmp_path / "cluster.yaml", {"partition": "gpu"}) == Cluster(partition="gpu", hours=2)


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (["--partition", "gpu"], 2, "--gpus-per-worker and --print-script go with --on"),
        (["--on", "ray", "--print-script"], 2, "go with --on slurm"),
        (["--on", "slurm", "--cluster", "nowhere.yaml"], 2, "nowhere.yaml: there is no such file"),
        (["--on", "slurm"], 3, "there is no `sbatch` here"),
    ],
)
def test_a_command_that_cannot_start_workers_says_why(more, code, said, synthetic_root, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(slurm.shutil, "which", lambda name: None)
    monkeypatch.setitem(sys.modules, "submitit", object())
    assert main([*RUN, "--data-root", str(synthetic_root), "-o", str(tmp_path), *more]) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--method", "nobody"], "nobody"),
        (["--method", "s4d", "--stage", "nothing"], "nothing"),
        (["--method", "videomae", "--set", "epochs=0"], "a pre-training has to train"),
    ],
)
def test_a_pretraining_that_cannot_be_is_refused_before_a_worker_is_started(given, said, tmp_path, capsys):
    command = ["pretrain", *given, "--on", "slurm", "--print-script", "-o", str(tmp_path / "pretrained")]
    assert main(command) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "pretrained").exists()


def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(EnvironmentProblem, match=r"dfer-benchmark\[slurm\].*--print-script"):
        slurm.submit(Cluster(), ["true"], 1, tmp_path, tmp_path)


def test_a_script_is_printed_for_as_many_workers_as_there_are_units_to_do(synthetic_root, tmp_path, capsys):
    arguments = [*RUN, "--data-root", str(synthetic_root), "-o", str(tmp_path / "runs"), "--again"]
    assert main([*arguments, "--on", "slurm", "--print-script"]) == 0
    script = capsys.readouterr().out
    assert "#SBATCH --array=0-1\n" in script
    assert script.splitlines()[-1].endswith(f"-m benchmark work {' '.join(arguments[:-1])}")
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["logs"]


def test_a_worker_of_ray_writes_its_log_and_ends_with_its_exit_code(tmp_path):
    log = tmp_path / "log"
    command = [sys.executable, "-c", "import os; print(os.environ['A']); raise SystemExit(3)"]
    assert work(command, str(tmp_path), str(log), ["export A=said"]) == 3
    assert log.read_text() == "said\n"


def test_two_workers_of_submitit_share_the_units_of_a_run(synthetic_root, tmp_path):
    pytest.importorskip("submitit", reason="submitit is missing: pip install -r requirements-dev.txt")
    out = tmp_path / "runs"
    command = [sys.executable, "-m", "benchmark", "work", *RUN, "--set", "epochs=1", "--jobs", "1", "--device", "cpu"]
    command += ["--data-root", str(synthetic_root), "-o", str(out)]
    jobs = slurm.submit(Cluster(), command, 2, Path.cwd(), tmp_path / "logs", executor="local")
    logs = {job.job_id: job.result() or job.stderr() for job in jobs}
    states = [json.loads(path.read_text()) for path in out.rglob("state.json")]
    assert [(state["status"], state["attempts"]) for state in states] == [("scored", 1)] * 2, logs
    (record,) = out.rglob("record.json")
    assert sorted(unit["fold"] for unit in json.loads(record.read_text())["units"]) == [1, 2]


def test_a_worker_that_fails_fails_its_job_and_one_that_is_told_to_stop_lets_its_unit_go(tmp_path):
    with pytest.raises(RuntimeError, match="exit code 3"):
        slurm.Worker([sys.executable, "-c", "raise SystemExit(3)"], tmp_path)()
    code = "import signal, os, sys; signal.signal(signal.SIGTERM, lambda *_: (open('told', 'w').close(), sys.exit(0)));"
    code += "os.kill(os.getppid(), signal.SIGUSR1); signal.pause()"
    starter = "import signal, sys\nfrom benchmark.running.slurm import Worker\n"
    starter += (
        "signal.signal(signal.SIGUSR1, lambda *_: sys.exit(5))\nWorker([sys.executable, '-c', sys.argv[1]], '.')()"
    )
    place = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", starter, code], cwd=tmp_path, env=place, check=False, timeout=60)
    assert done.returncode == 5
    assert (tmp_path / "told").exists()
