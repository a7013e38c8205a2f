"""What this process computes on."""

from __future__ import annotations

import contextlib
import os
import platform
from pathlib import Path

import torch

from benchmark.errors import EnvironmentProblem


def use_device(name: str, threads: int) -> str:
    """Make `auto`, `cpu`, `cuda` or `cuda:N` the device of this process, and say which it is.

    Must be called before the first use of an accelerator. `threads` is the number that torch computes with on the CPU;
    it is the caller's to fix, because another number adds in another order and so gives other last digits.
    """
    torch.set_num_threads(threads)
    if name == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    elif name.startswith("cuda:"):
        os.environ["CUDA_VISIBLE_DEVICES"] = name.removeprefix("cuda:")
    available = torch.cuda.is_available()
    if name.startswith("cuda") and not available:
        raise EnvironmentProblem(f"--device {name}: torch {torch.__version__} sees no such device; try --device cpu")
    return device_found()


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
