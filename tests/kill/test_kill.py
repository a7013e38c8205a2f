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

import pytest

# More than any machine trains between two looks at the log, so that a kill finds the run unfinished.
EPOCHS = 12
# Mixing and random crops draw from every random stream there is.
ROW = ["--method", "tsm", "--augment", "midas", "--labels", "soft", "--preset", "small"]


def command(data: Path, out: Path, epochs: int = EPOCHS, more: tuple[str, ...] = ()) -> list[str]:
    where = ["--data-root", str(data), "-o", str(out), "--device", "cpu", "--folds", "1", "--set", f"epochs={epochs}"]
    return [sys.executable, "-m", "benchmark", "run", "--protocol", "dfew-5fold", *ROW, *where, *more]


def start(
    data: Path, out: Path, epochs: int = EPOCHS, more: tuple[str, ...] = (), ignoring: tuple[int, ...] = ()
) -> subprocess.Popen:
    def prepare() -> None:
        for number in ignoring:
            signal.signal(number, signal.SIG_IGN)

    return subprocess.Popen(
        command(data, out, epochs, more),
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


def wait_until_gone(pids: list[int], seconds: float = 30) -> None:
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
    return out / "dfew-5fold-synthetic" / f"tsm@small+midas~{suffix(out)}" / "soft" / "seed-0" / "fold-1"


def suffix(out: Path) -> str:
    (row,) = (out / "dfew-5fold-synthetic").iterdir()
    return row.name.rpartition("~")[2]


def epochs_done(out: Path) -> int:
    lines = [path.read_text().splitlines() for path in out.rglob("metrics.jsonl")]
    return len(lines[0]) if lines else 0


def wait_for(condition, process: subprocess.Popen, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.fixture(scope="module")
def undisturbed(synthetic_root, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed")
    done = subprocess.run(command(synthetic_root, out), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return unit_folder(out)


def test_a_run_killed_at_three_random_moments_ends_with_the_same_predictions(synthetic_root, undisturbed, tmp_path):
    seed = time.time_ns()
    print(f"random moments from seed {seed}")
    rng = random.Random(seed)
    lost = []
    for after in [*sorted(rng.sample(range(1, EPOCHS // 2), 2)), EPOCHS]:
        process = start(synthetic_root, tmp_path)
        wait_for(lambda after=after: epochs_done(tmp_path) >= after, process)
        time.sleep(rng.uniform(0, 0.3))
        before = epochs_done(tmp_path)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL or after == EPOCHS
        lost.append((after, before, epochs_done(tmp_path)))
    final = subprocess.run(command(synthetic_root, tmp_path), capture_output=True, text=True, timeout=300, check=False)
    assert final.returncode == 0, final.stderr
    folder = unit_folder(tmp_path)
    assert all(before <= now for _, before, now in lost)
    for name in ("predictions.val.csv.gz", "predictions.test.csv.gz", "scores.json"):
        assert (folder / name).read_bytes() == (undisturbed / name).read_bytes(), lost
    assert json.loads((folder / "state.json").read_text())["attempts"] >= 3


def test_workers_end_with_the_process_that_started_them(synthetic_root, undisturbed, tmp_path):
    """Killing the process at the terminal alone must not leave workers that hold the unit."""
    process = start(synthetic_root, tmp_path, more=("--workers", "1", "--jobs", "2"))
    wait_for(lambda: epochs_done(tmp_path) >= 1, process)
    helpers = descendants(process.pid)
    checkpoints = unit_folder(tmp_path) / "checkpoints"
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=60)
    # A worker, what reads clips for it, and Python's own tracker of shared resources.
    assert len(helpers) >= 3
    wait_until_gone(helpers)
    for name in (".best.pth.tmp", ".last.pth.abc.tmp"):
        (checkpoints / name).write_bytes(b"half")
    final = subprocess.run(command(synthetic_root, tmp_path), capture_output=True, text=True, timeout=300, check=False)
    assert final.returncode == 0, final.stderr
    name = "predictions.test.csv.gz"
    assert (unit_folder(tmp_path) / name).read_bytes() == (undisturbed / name).read_bytes()
    assert not list(checkpoints.glob(".*"))


def test_helpers_that_make_clips_end_with_the_process_that_started_them(tmp_path):
    command = [sys.executable, "-m", "benchmark", "data", "synthesize", "dfew", tmp_path / "DFEW", "--clips", "4000"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    wait_for(lambda: list(tmp_path.rglob("*.jpg")), process)
    helpers = descendants(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=60)
    assert helpers
    wait_until_gone(helpers)


@pytest.mark.parametrize("ignored", [False, True], ids=["", "begun with SIGINT ignored"])
def test_a_signal_to_the_whole_job_is_one_line_and_its_exit_code(synthetic_root, tmp_path, ignored):
    """Schedulers signal every process of a job; `nohup ... &` starts it with SIGINT ignored."""
    number, code = (signal.SIGINT, 130) if ignored else (signal.SIGTERM, 143)
    more = ("--folds", "1-2", "--workers", "1", "--jobs", "2")
    process = start(synthetic_root, tmp_path, epochs=60, more=more, ignoring=(signal.SIGINT,) if ignored else ())
    wait_for(lambda: epochs_done(tmp_path) >= 1, process)
    helpers = descendants(process.pid)
    for pid in [process.pid, *helpers]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert err.splitlines()[-1].startswith("interrupted; ")
    assert not [line for line in err.splitlines() if "Traceback" in line or "Error" in line or "FAILED" in line], err
    wait_until_gone(helpers)
    states = [json.loads(path.read_text())["status"] for path in tmp_path.rglob("state.json")]
    assert set(states) == {"training"}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_how_to_go_on(synthetic_root, tmp_path, number, code):
    # More epochs than can pass while this process waits for its turn on a busy machine.
    process = start(synthetic_root, tmp_path, epochs=60)
    wait_for(lambda: epochs_done(tmp_path) >= 1, process)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "the same command goes on from here" in err
    assert "Traceback" not in err
    state = json.loads((unit_folder(tmp_path) / "state.json").read_text())
    assert state["status"] == "training"
