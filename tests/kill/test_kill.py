"""Long runs are interrupted: by SIGKILL, by Ctrl-C, by a scheduler. Nothing finished may be lost or changed."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

EPOCHS = 5
# No machine trains as many while a test waits for its turn: such a run is always interrupted.
ENDLESS = 100_000
# Mixing and random crops draw from every random stream there is.
ROW = ["--method", "tsm", "--augment", "midas", "--labels", "soft", "--preset", "small"]

# Runs the command line, counts what is written below a folder, and is killed before a given write becomes visible.
# All that a run leaves is written by a rename, so that no other moment leaves anything else behind.
COUNTING = """
import os, signal, sys
from benchmark.cli.main import main

out, last, name, *arguments = sys.argv[1:]
writes, replace = 0, os.replace

def counted(source, target):
    global writes
    if str(target).startswith(out):
        writes += 1
        if writes == int(last) or (name and str(target).endswith(name)):
            os.kill(os.getpid(), signal.SIGKILL)
    return replace(source, target)

os.replace = counted
code = main(arguments)
print("writes", writes, file=sys.stderr)
sys.exit(code)
"""


def options(data: Path, out: Path, epochs: int = EPOCHS) -> list[str]:
    where = ["--data-root", str(data), "-o", str(out), "--device", "cpu", "--folds", "1", "--set", f"epochs={epochs}"]
    return ["run", "--protocol", "dfew-5fold", *ROW, *where]


def run_until(data: Path, out: Path, write: int = 0, name: str = "") -> subprocess.CompletedProcess:
    """Run until before the write with this number, or of this file; to the end if there is neither."""
    # All of it in this one process, where the writes are counted.
    alone = ["--jobs", "1"]
    command = [sys.executable, "-c", COUNTING, str(out), str(write), name, *options(data, out), *alone]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


def start(
    data: Path, out: Path, epochs: int = EPOCHS, more: tuple[str, ...] = (), ignoring: tuple[int, ...] = ()
) -> subprocess.Popen:
    def prepare() -> None:
        for number in ignoring:
            signal.signal(number, signal.SIG_IGN)

    return subprocess.Popen(
        [sys.executable, "-m", "benchmark", *options(data, out, epochs), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=prepare,
    )


def descendants(pid: int) -> list[int]:
    """Every process that a process has started, and those that these have."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *descendants(int(child))]
    return found


def wait_until_gone(pids: list[int], seconds: float = 600) -> None:
    deadline = time.monotonic() + seconds
    while left := [pid for pid in pids if alive(pid)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def unit_folder(out: Path) -> Path:
    (folder,) = out.glob("dfew-5fold-synthetic/tsm@small+midas~*/soft/seed-0/fold-1")
    return folder


def epochs_done(out: Path) -> int:
    lines = [path.read_text().splitlines() for path in out.rglob("metrics.jsonl")]
    return len(lines[0]) if lines else 0


def wait_for_an_epoch(out: Path, process: subprocess.Popen) -> None:
    while not epochs_done(out) and process.poll() is None:
        time.sleep(0.01)


@pytest.fixture(scope="module")
def undisturbed(synthetic_root, tmp_path_factory) -> tuple[Path, int]:
    """The unit's folder after a run that nothing interrupted, and how many files it wrote."""
    out = tmp_path_factory.mktemp("undisturbed")
    done = run_until(synthetic_root, out)
    assert done.returncode == 0, done.stderr
    return unit_folder(out), int(done.stderr.split()[-1])


def test_a_run_killed_at_three_random_moments_and_before_its_last_steps_ends_with_the_same_predictions(
    synthetic_root, undisturbed, tmp_path
):
    folder, writes = undisturbed
    seed = random.SystemRandom().randrange(2**32)
    print(f"random moments from seed {seed}")
    draw = random.Random(seed)
    # A fourth of all writes at most, so that the run is not finished before it is killed for the third time.
    random_moments: list[dict[str, Any]] = [{"write": draw.randrange(1, writes // 4)} for _ in range(3)]
    for moment in [*random_moments, {"name": "predictions.test.csv.gz"}, {"name": "scores.json"}]:
        before = epochs_done(tmp_path)
        killed = run_until(synthetic_root, tmp_path, **moment)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert epochs_done(tmp_path) >= before
    final = run_until(synthetic_root, tmp_path)
    assert final.returncode == 0, final.stderr
    assert json.loads((unit_folder(tmp_path) / "state.json").read_text())["attempts"] >= 3
    for name in ("predictions.val.csv.gz", "predictions.test.csv.gz", "scores.json"):
        assert (unit_folder(tmp_path) / name).read_bytes() == (folder / name).read_bytes(), seed


def test_workers_end_with_the_process_that_started_them_and_what_they_left_half_is_removed(
    synthetic_root, undisturbed, tmp_path
):
    """Killing the process at the terminal alone must not leave workers that hold the unit."""
    process = start(synthetic_root, tmp_path, more=("--workers", "1", "--jobs", "2"))
    wait_for_an_epoch(tmp_path, process)
    helpers = descendants(process.pid)
    checkpoints = unit_folder(tmp_path) / "checkpoints"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=600)
    # A worker, what reads clips for it, and Python's own tracker of shared resources.
    assert len(helpers) >= 3
    wait_until_gone(helpers)
    for name in (".best.pth.tmp", ".last.pth.abc.tmp"):
        (checkpoints / name).write_bytes(b"half")
    final = run_until(synthetic_root, tmp_path)
    assert final.returncode == 0, final.stderr
    name = "predictions.test.csv.gz"
    assert (unit_folder(tmp_path) / name).read_bytes() == (undisturbed[0] / name).read_bytes()
    assert not list(checkpoints.glob(".*"))


def test_helpers_that_make_clips_end_with_the_process_that_started_them(tmp_path):
    command = [sys.executable, "-m", "benchmark", "data", "synthesize", "dfew", tmp_path / "DFEW", "--clips", "4000"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    while not list(tmp_path.rglob("*.jpg")) and process.poll() is None:
        time.sleep(0.01)
    helpers = descendants(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=600)
    assert helpers
    wait_until_gone(helpers)


@pytest.mark.parametrize(
    "ignored", [pytest.param(False, id=""), pytest.param(True, marks=pytest.mark.slow, id="begun with SIGINT ignored")]
)
def test_a_signal_to_the_whole_job_is_one_line_and_its_exit_code(synthetic_root, tmp_path, ignored):
    """Schedulers signal every process of a job; `nohup ... &` starts it with SIGINT ignored."""
    number, code = (signal.SIGINT, 130) if ignored else (signal.SIGTERM, 143)
    more = ("--folds", "1-2", "--workers", "1", "--jobs", "2")
    process = start(synthetic_root, tmp_path, epochs=ENDLESS, more=more, ignoring=(signal.SIGINT,) if ignored else ())
    wait_for_an_epoch(tmp_path, process)
    helpers = descendants(process.pid)
    for pid in [process.pid, *helpers]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    _, err = process.communicate(timeout=600)
    assert process.returncode == code, err
    assert err.splitlines()[-1].startswith("interrupted; ")
    assert not [line for line in err.splitlines() if "Traceback" in line or "Error" in line or "FAILED" in line], err
    wait_until_gone(helpers)
    states = [json.loads(path.read_text())["status"] for path in tmp_path.rglob("state.json")]
    assert set(states) == {"training"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_how_to_continue(synthetic_root, tmp_path, number, code):
    process = start(synthetic_root, tmp_path, ENDLESS)
    wait_for_an_epoch(tmp_path, process)
    process.send_signal(number)
    _, err = process.communicate(timeout=600)
    assert process.returncode == code
    assert "the same command continues where it left off" in err
    assert "Traceback" not in err
    state = json.loads((unit_folder(tmp_path) / "state.json").read_text())
    assert state["status"] == "training"
