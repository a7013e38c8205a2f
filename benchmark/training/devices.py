"""What this process computes on."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmark.errors import EnvironmentProblem
from benchmark.resources import VISIBLE, choose_device, given_devices
from benchmark.units.computing import Computing

_CXX = ("c++", "g++", "clang++")
# What CUDA was allowed to see when it was first asked what there is.
_asked: list[str | None] = []


def note_asking() -> None:
    """Note that CUDA has been asked what there is: to this process it says the same until it ends."""
    if not _asked:
        _asked.append(os.environ.get(VISIBLE))


def use_device(name: str) -> str:
    """Make `auto`, `cpu`, `cuda` or `cuda:N` the device of this process, and say which it is.

    N counts the devices that the scheduler gave. Raises UsageError for another name, EnvironmentProblem for a device
    that is not there, or that CUDA does not show any more, because it was asked before.
    """
    choose_device(name)
    note_asking()
    if torch.cuda.is_available() and os.environ.get(VISIBLE) != _asked[0]:
        raise EnvironmentProblem(
            f"--device {name}: CUDA was asked before what there is, and shows this process the same until it ends: "
            f"choose the device first, in a new process, or set {VISIBLE} before it starts"
        )
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise EnvironmentProblem(f"--device {name}: torch {torch.__version__} sees no such device; try --device cpu")
    return device_found()


def visible_devices() -> list[str]:
    """All accelerators that units may be spread over, as CUDA names them."""
    given = given_devices()
    # Of several MIG instances CUDA shows one process the first alone, so what was given is not counted by torch.
    if given is None or not torch.cuda.is_available():
        return [str(number) for number in range(torch.cuda.device_count())]
    return given


def compute_by(computing: Computing) -> None:
    """Have torch, in this process, compute as was chosen; EnvironmentProblem where the device cannot.

    What a model does in its own precision is `benchmark.training.computing`'s.
    """
    _check(computing)
    torch.set_num_threads(computing.threads)
    # By default convolutions round to TF32 on an accelerator, which is not float32.
    torch.backends.cuda.matmul.allow_tf32 = computing.precision == "tf32"
    torch.backends.cudnn.allow_tf32 = computing.precision == "tf32"
    torch.backends.cudnn.benchmark = not computing.deterministic
    # cuBLAS adds in the same order only with workspaces of its own. It reads this when it is first used, which may be
    # before somebody asks for it.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # Only to change it: torch imports its whole compiler for this.
    if torch.are_deterministic_algorithms_enabled() != computing.deterministic:
        torch.use_deterministic_algorithms(computing.deterministic)


@contextlib.contextmanager
def gaps_told() -> Iterator[None]:
    """Say what can be done where torch has no deterministic algorithm for what a model computes."""
    try:
        yield
    except RuntimeError as error:
        operation, found, _ = str(error).partition(" does not have a deterministic implementation")
        if not found:
            raise
        raise EnvironmentProblem(
            f"--deterministic: torch {torch.__version__} has no deterministic {operation} on {device_found()}: leave "
            "the option out, and results may differ in their last digits from run to run, or take --device cpu"
        ) from error


def _check(computing: Computing) -> None:
    accelerated, precision = torch.cuda.is_available(), computing.precision
    if precision == "tf32" and not (accelerated and torch.cuda.get_device_capability() >= (8, 0)):
        raise EnvironmentProblem(f"--precision tf32: {device_found()} has no TensorFloat-32; use fp32 or bf16")
    if precision == "bf16" and accelerated and not has_bf16():
        raise EnvironmentProblem(f"--precision bf16: {device_found()} has no bfloat16; use fp16 or fp32")
    # On an accelerator it is Triton that compiles, which has a part in C compiled.
    language, variable, compilers = ("C", "CC", ("cc", "gcc", "clang")) if accelerated else ("C++", "CXX", _CXX)
    if computing.compile and not any(map(shutil.which, (os.environ.get(variable) or compilers[0], *compilers))):
        raise EnvironmentProblem(
            f"--compile: needs a {language} compiler, and there is none on PATH; install {compilers[1]}, or leave it"
        )


def device_found() -> str:
    """The accelerator's name, or `cpu`."""
    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else "cpu"


def has_bf16() -> bool:
    """Whether the accelerator computes in bfloat16 itself; False without one."""
    return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)


def hardware() -> dict[str, str]:
    """What computes, in the words of a record: the processor and, of an accelerator, name, driver, CUDA and cuDNN."""
    found = {"processor": _processor()}
    if torch.cuda.is_available():
        found |= {
            "accelerator": torch.cuda.get_device_name(0),
            "driver": _driver(),
            "CUDA": str(torch.version.cuda),
            "cuDNN": str(torch.backends.cudnn.version()),
        }
    return found


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _driver() -> str:
    with contextlib.suppress(OSError):
        first = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8").splitlines()[0]
        return first.partition(":")[2].strip()
    return "unknown"
