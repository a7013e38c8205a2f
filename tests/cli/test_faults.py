"""Every command on a full disk, a read-only one, without permission, locks or fsync: one line, exit 3, resumable.

The faults are drawn (see `tests/faults.py`), so that they need no privileges; one is the kernel's own.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from benchmark.cli.main import main
from tests.conftest import benchmark
from tests.faults import Faults
from tests.finished_run import finish

# What can be wrong with a place to write to, and what must be said of it.
WRITING = {
    "disk full": (errno.ENOSPC, "no space left on the disk"),
    "quota": (errno.EDQUOT, "the disk quota is used up"),
    "read-only": (errno.EROFS, "the file system is read-only"),
    "no permission": (errno.EACCES, "permission denied"),
    "name too long": (errno.ENAMETOOLONG, "the name is too long"),
    "input/output": (errno.EIO, "reading or writing failed"),
    "too many open files": (errno.EMFILE, "too many open files"),
}
QUICK = ("disk full", "read-only", "no permission")
SMALL = ("--preset", "small", "--device", "cpu", "--set", "epochs=2")
ROW = ("--protocol", "dfew-5fold", "--method", "tsm", "--folds", "1", "--limit", "8", "--jobs", "1", *SMALL)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished run, and a leaderboard that holds it."""
    run = tmp_path_factory.mktemp("finished") / "run"
    finish(run, synthetic=True)
    board = tmp_path_factory.mktemp("board")
    assert main(["leaderboard", "add", str(run), "--dir", str(board)]) == 0
    return run, board


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    import benchmark as package
    from benchmark.training.weights import Origin, write_weights

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "tsm.safetensors"
    classes = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
    write_weights(path, package.build_model("tsm", "small").state_dict(), Origin("tsm", "model", "small", classes))
    return path


@pytest.fixture
def faults(monkeypatch):
    """Makes the faults of a folder, and removes them all."""
    made = []

    def make(folder):
        patch = pytest.MonkeyPatch()
        made.append(patch)
        return Faults(patch, folder)

    yield make
    for patch in made:
        patch.undo()


@pytest.fixture
def commands(finished, weights, synthetic_root, tmp_path):
    """Every command that writes, with all that it writes below `out`."""
    run, board = finished
    out = tmp_path / "out"
    if not out.exists():
        out.mkdir()
        shutil.copytree(run, out / "run")
        shutil.copytree(board, out / "board")
    return {
        "run": ("run", *ROW, "--data-root", synthetic_root, "-o", out / "runs"),
        "sweep": ("sweep", *ROW, "--data-root", synthetic_root, "-o", out / "runs"),
        "pretrain": (
            *("pretrain", "--method", "videomae", "--videos", synthetic_root / "Clip/clip_224x224", "--limit", "8"),
            *(*SMALL, "-o", out / "pretrained"),
        ),
        "data synthesize": ("data", "synthesize", "raf-db", out / "raf-db", "--clips", "35"),
        "plot": ("plot", out / "run", "--out", out / "figures"),
        "show --export": (
            *("show", "dfew-5fold", "--splits", "--data-root", synthetic_root),
            *("--export", out / "lists"),
        ),
        "leaderboard add": ("leaderboard", "add", out / "run", "--dir", out / "new"),
        "leaderboard build": ("leaderboard", "build", "--dir", out / "board"),
        "leaderboard build --html": ("leaderboard", "build", "--dir", out / "board", "--html", out / "site"),
        "weights import": (
            *("weights", "import", "--method", "tsm", "--preset", "small", weights),
            out / "imported.safetensors",
        ),
    }


def call(capsys, arguments) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


def problem_in(err: str) -> str:
    """The one line that says what was wrong."""
    assert "Traceback" not in err
    (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
    return line


WRITERS = (
    *("run", "sweep", "pretrain", "data synthesize", "plot", "show --export", "leaderboard add", "leaderboard build"),
    *("leaderboard build --html", "weights import"),
)


@pytest.mark.parametrize(
    "fault", [*QUICK, *(pytest.param(fault, marks=pytest.mark.slow) for fault in WRITING if fault not in QUICK)]
)
@pytest.mark.parametrize("command", WRITERS)
def test_a_command_that_cannot_write_says_so_in_one_line_and_exits_3(
    command, fault, commands, faults, tmp_path, capsys
):
    number, told = WRITING[fault]
    broken = faults(tmp_path / "out")
    broken.writing_fails(number)
    code, _, err = call(capsys, commands[command])
    broken.remove()
    assert code == 3, err
    line = problem_in(err)
    assert told in line
    assert str(tmp_path / "out") in line


@pytest.mark.parametrize("command", ["data synthesize", "plot", "show --export", "leaderboard add", "weights import"])
@pytest.mark.parametrize("spared", [1, 4])
def test_a_disk_that_fills_on_the_way_leaves_nothing_half_done_and_the_same_command_finishes(
    command, spared, commands, faults, tmp_path, capsys
):
    broken = faults(tmp_path / "out")
    broken.writing_fails(errno.ENOSPC, spared)
    first = call(capsys, commands[command])
    broken.remove()
    assert first[0] in (0, 3), first[2]
    code, _, err = call(capsys, commands[command])
    # What was whole before the disk was full need not, and may not, be made again.
    assert code == 0 or (first[0] == 0 and code == 2), err


@pytest.mark.parametrize("command", ["run", "pretrain"])
def test_training_goes_on_where_a_full_disk_stopped_it_and_ends_with_the_same_result(
    command, commands, faults, tmp_path, capsys
):
    assert call(capsys, commands[command])[0] == 0
    out = tmp_path / "out"
    undisturbed = result_of(out / command_folder(command))
    shutil.rmtree(out / command_folder(command))
    stopped = 0
    # Before anything, in the middle of the first epoch's writing, and after it.
    for spared in (12, 30, 45):
        broken = faults(out)
        broken.writing_fails(errno.ENOSPC, spared)
        code, _, err = call(capsys, commands[command])
        broken.remove()
        assert code in (0, 3), err
        stopped += code == 3
        if code == 3:
            assert "no space left on the disk" in problem_in(err)
    assert stopped
    assert call(capsys, commands[command])[0] == 0
    assert result_of(out / command_folder(command)) == undisturbed
    assert not list(out.rglob(".*.tmp"))


def result_of(folder):
    """The predictions of a run, or the weights of a pre-training, by name."""
    files = {path.name: path.read_bytes() for path in folder.rglob("predictions.*.csv.gz")}
    # The header of such a file has no fixed order.
    tensors = {
        n: t.numpy().tobytes() for path in folder.rglob("weights.safetensors") for n, t in load_file(path).items()
    }
    assert files or tensors
    return {**files, **tensors}


def command_folder(command: str) -> str:
    return {"run": "runs", "pretrain": "pretrained"}[command]


@pytest.mark.parametrize("fault", ["no_locks", "locks_on_this_machine_only", "no_fsync"])
@pytest.mark.parametrize("command", ["run", "pretrain", "data synthesize", "plot", "leaderboard add", "weights import"])
def test_what_a_file_system_does_not_offer_is_done_without(command, fault, commands, faults, tmp_path, capsys):
    broken = faults(tmp_path / "out")
    getattr(broken, fault)()
    code, _, err = call(capsys, commands[command])
    assert code == 0, err


def test_torch_and_the_kernel_tell_the_same_as_python(commands, tmp_path):
    """Files of at most 64 KiB: the checkpoint is larger, and torch's own writer knows no reason."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))  # noqa: E731
    done = subprocess.run(
        [sys.executable, "-m", "benchmark", *map(str, commands["pretrain"])],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        preexec_fn=limit,
    )
    assert done.returncode == 3, done.stderr
    line = problem_in(done.stderr)
    assert "last.pth: the file is larger than this file system or `ulimit -f` allows" in line


@pytest.fixture
def readers(finished, weights, synthetic_root):
    """Every command that only reads, and the folder that it reads."""
    run, board = finished
    clip = synthetic_root / "Clip/clip_224x224/00001"
    return {
        "score": (("score", run), run),
        "compare": (("compare", run, run), run),
        "status": (("status", run.parent), run.parent),
        "leaderboard check": (("leaderboard", "check", "--dir", board, "--workers", "1"), board),
        "weights inspect": (("weights", "inspect", weights), weights.parent),
        "predict": (("predict", "--method", "tsm", "--weights", weights, "--device", "cpu", clip), weights.parent),
        "data check": (("data", "check", "dfew", "--root", synthetic_root, "--workers", "1"), synthetic_root),
        "data audit": (("data", "audit", f"dfew={synthetic_root}", "--workers", "1"), synthetic_root),
        "show --splits": (("show", "dfew-5fold", "--splits", "--data-root", synthetic_root), synthetic_root),
        "run --dry-run": (("run", *ROW, "--dry-run", "--data-root", synthetic_root), synthetic_root),
    }


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE], ids=lambda number: errno.errorcode[number])
@pytest.mark.parametrize(
    "command",
    [
        *("score", "compare", "leaderboard check", "weights inspect", "predict", "data check", "data audit"),
        *("show --splits", "run --dry-run"),
    ],
)
def test_a_command_that_cannot_read_names_the_file_and_exits_3_or_4(command, number, readers, faults, capsys):
    arguments, folder = readers[command]
    broken = faults(folder)
    broken.reading_fails(number)
    code, out, err = call(capsys, arguments)
    broken.remove()
    assert code in (3, 4), err
    assert "Traceback" not in err
    assert str(folder) in out + err


@pytest.mark.parametrize(
    "arguments",
    [("list", "methods"), ("data", "list"), ("show", "tsm"), pytest.param(("doctor",), marks=pytest.mark.slow)],
    ids=" ".join,
)
def test_a_reader_that_has_seen_enough_is_no_failure(arguments):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "benchmark", *arguments], stdout=write, stderr=subprocess.PIPE, check=False, timeout=120
    )
    os.close(write)
    assert done.returncode == 0
    assert done.stderr == b""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no full device")
def test_a_full_disk_behind_stdout_is_told_and_exits_3():
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "benchmark", "list", "metrics", "--json"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=120)
    assert done.returncode == 3
    assert done.stderr.splitlines()[0].startswith("error: no space left on the disk")


def test_a_run_whose_messages_nobody_reads_any_more_goes_on(commands, tmp_path, monkeypatch, capsys):
    class Gone:
        def write(self, text):
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

        flush = write

        def isatty(self):
            return False

    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", Gone())
        code = main([*map(str, commands["run"]), "--json"])
    assert code == 0, [path.read_text() for path in tmp_path.rglob("state.json")]
    assert len(json.loads(capsys.readouterr().out)[0]["units"]) == 1


def test_a_second_process_is_told_who_is_busy_and_waits(commands, tmp_path):
    from benchmark.locks import exclusive

    (unit,) = json.loads(benchmark(*commands["run"], "--dry-run", "--json").stdout)
    command = [sys.executable, "-m", "benchmark", *map(str, commands["run"])]
    with exclusive(tmp_path / "out/runs" / unit["unit"]):
        second = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in second.stderr:
            if line.startswith("waiting for "):
                break
        assert f"busy: process {os.getpid()} on " in line
        assert second.poll() is None
    rest = second.communicate(timeout=600)[1]
    assert second.returncode == 0, rest
    assert "Traceback" not in rest
