"""What does each `paper` preset take? Memory, seconds per training clip, and the share of the machine's matmul peak.

    python timings/methods.py [METHOD ...] [--memory-only] [--official NAME=CHECKOUT[:ADAPTER.py] ...]

Memory is counted from shapes (`memory.py`), and so says the same on every machine: at the paper's batch, and how many
clips at a time fit a card of 24 GB. Seconds are medians of `--times` steps (forward, the method's own loss, backward,
optimiser) after one to warm up, of `--micro-batch` clips, in a process of its own for each preset; a preset that needs
more than half of the machine's memory is left out. The peak is that of a large product of matrices in the same
precision, measured in the same process. Clips are noise; what a loader takes is `loading.py`'s question.

There is no ratio to an official code without that code: with `--official` it is imported from a checkout of yours and
takes steps in turn with ours, in one process, by the same batch, in the same precision, with an optimiser of the same
kind. The ratio is the median of what each two steps took, with the least and the most; on a CPU, of the processor's
seconds, which others' work there changes less. An adapter (default: `timings/official/NAME.py`) says how it is built;
see `timings/official/README.md`.

The table is Markdown: `python timings/methods.py > timings/methods.md`.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.util
import multiprocessing
import os
import resource
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.registry import registry
from benchmark.resources import memory
from benchmark.units.computing import Precision

if TYPE_CHECKING:
    from timings.steps import Seconds

GIB = 2**30
OFFICIAL = Path(__file__).parent / "official"
HEADERS = (
    *("preset", "precision", "GiB per clip", "paper's batch", "GiB at it", "clips in 24 GB"),
    *("s per clip", "share of peak", "peak GiB", "official s per clip", "official / ours"),
)


@dataclass(frozen=True)
class Official:
    """A checkout of an official code, and the file that says how to use it."""

    checkout: Path
    adapter: Path


@dataclass(frozen=True)
class Choices:
    """What to measure."""

    device: str
    threads: int
    clips: int
    times: int
    memory_only: bool


def main(arguments: Sequence[str]) -> None:
    """Measure and print, preset by preset."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", nargs="*", metavar="METHOD", help="such as videomae, or videomae/masked")
    parser.add_argument("--precision", nargs="+", choices=("fp32", "bf16", "fp16"), default=["fp32", "bf16"])
    parser.add_argument("--micro-batch", type=int, default=1, metavar="CLIPS")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--memory-only", action="store_true", help="count, and take no step")
    parser.add_argument("--official", action="append", default=[], metavar="NAME=CHECKOUT[:ADAPTER.py]")
    options = parser.parse_args(arguments)
    for name in options.methods:
        registry().find("methods", name.partition("/")[0])
    official = dict(official_of(text) for text in options.official)
    choices = Choices(options.device, options.threads, options.micro_batch, options.times, options.memory_only)
    print(f"{datetime.date.today()}, `python timings/methods.py {' '.join(arguments)}`, {machine(choices)}\n")
    print_row(HEADERS)
    print_row(["---"] * len(HEADERS))
    # A process of its own for each preset, so that its peak of memory is its own; counting has no peak.
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=None if choices.memory_only else 1) as pool:
        for name in pool.apply(names_of, (options.methods or list(official),)):
            print(name, file=sys.stderr, flush=True)
            for row in pool.apply(rows_of, (name, options.precision, choices, official.get(name))):
                print_row(row)


def official_of(text: str) -> tuple[str, Official]:
    """`NAME=CHECKOUT[:ADAPTER.py]` as a name and where to find what it is compared with."""
    name, _, place = text.partition("=")
    checkout, _, adapter = place.partition(":")
    # Whole paths: the checkout becomes the working directory.
    own = OFFICIAL / f"{name.replace('/', '-')}.py"
    found = Official(Path(checkout).resolve(), Path(adapter).resolve() if adapter else own)
    if not found.checkout.is_dir():
        sys.exit(f"--official {text}: {found.checkout} is no folder; give NAME=CHECKOUT[:ADAPTER.py]")
    if not found.adapter.is_file():
        sys.exit(f"--official {text}: there is no adapter {found.adapter}; write one as {OFFICIAL / 'README.md'} says")
    return name, found


def machine(choices: Choices) -> str:
    """What computes."""
    import torch

    from benchmark.training.devices import hardware, use_device

    use_device(choices.device)
    found = hardware()
    return f"{found.get('accelerator', found['processor'])}, {choices.threads} CPU threads, torch {torch.__version__}"


def print_row(cells: Sequence[str]) -> None:
    """A row of the table, at once."""
    print("| " + " | ".join(cells) + " |", flush=True)


def names_of(wanted: Sequence[str]) -> list[str]:
    """The presets to measure."""
    from timings.steps import trainings

    return [training.name for training in trainings(wanted)]


def rows_of(name: str, precisions: Sequence[Precision], choices: Choices, official: Official | None) -> list[list[str]]:
    """Everything about one preset, a row for each precision."""
    from benchmark.training.devices import use_device

    use_device(choices.device)
    from timings.steps import Step, trainings

    [training] = [each for each in trainings([name]) if each.name == name]
    # Official codes print while they are built; stdout is the table's.
    with contextlib.redirect_stdout(sys.stderr):
        rows = [row_of(training, Step(training, each, "cpu"), each, choices, official) for each in precisions]
    return [[name, *row, *[""] * (len(HEADERS) - 1 - len(row))] for row in rows]


def row_of(training: Any, step: Any, precision: Precision, choices: Choices, official: Official | None) -> list[str]:
    """Its cells, as far as there is something to say."""
    from benchmark.training.devices import compute_by
    from benchmark.units.computing import Computing
    from timings.memory import NotLinear, memory_of

    # As in a unit: CUDA would else round float32 in convolutions, and try no algorithms.
    compute_by(Computing(precision=precision, threads=choices.threads))
    batch = training.clips_per_step
    try:
        needed = memory_of(training, step)
    except NotLinear as error:
        return [precision, f"not counted: {error}", str(batch)]
    row = [precision, gib(needed.clip), str(batch), gib(needed.of(batch)), str(needed.most_clips)]
    if choices.memory_only:
        return row
    if choices.device == "cpu" and needed.of(choices.clips) > memory() // 2:
        return [*row, "does not fit this machine"]
    return [*row, *steps_of(training, step, precision, choices, official, needed.operations)]


def steps_of(
    training: Any, step: Any, precision: Precision, choices: Choices, official: Official | None, operations: float
) -> list[str]:
    """Seconds, share of the peak and memory of real steps, and the official ones' if there is something official."""
    import torch

    from timings.steps import OtherStep, as_clips, batch, matmul_peak, median, seconds_of

    device = choices.device
    step.move_to(device)
    inputs, samples = batch(training, step.recipe, choices.clips, device)
    works = [partial(step, inputs, samples)]
    if official:
        adapter = load_adapter(official)
        targets = torch.stack([sample.gt_label for sample in samples])
        model = adapter.build(training.preset, targets.shape[1])
        other = OtherStep(model, adapter.loss, precision, device, like=step)
        works.append(partial(other, as_clips(inputs), targets))
    taken = seconds_of(works, choices.times, device)
    seconds = [median(each) / choices.clips for each in taken]
    share = operations / seconds[0] / matmul_peak(precision, device)
    peak = torch.cuda.max_memory_allocated() if device != "cpu" else 1024 * resident()
    compared = [f"{seconds[1]:.3f}", ratio(*taken)] if official else []
    return [f"{seconds[0]:.3f}", f"{share:.0%}", gib(peak), *compared]


def ratio(ours: Sequence[Seconds], theirs: Sequence[Seconds]) -> str:
    """How many times as long theirs takes, step by step: the median, and the least and the most."""
    found = [each.own / own.own for own, each in zip(ours, theirs, strict=True)]
    return f"{statistics.median(found):.2f} ({min(found):.2f} .. {max(found):.2f})"


def resident() -> int:
    """The most memory that this process has held, in KiB, Python and torch included."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def load_adapter(official: Official) -> Any:
    """The adapter as a module, which finds the checkout's own modules before any others."""
    os.chdir(official.checkout)
    sys.path.insert(0, str(official.checkout))
    spec = importlib.util.spec_from_file_location("official_adapter", official.adapter)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def gib(size: float) -> str:
    """Bytes in GiB."""
    return f"{size / GIB:.2f}" if size < 10 * GIB else f"{size / GIB:.1f}"


if __name__ == "__main__":
    # Scripts are started by path; the processes they start import them as a package's.
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from timings import methods

    methods.main(sys.argv[1:])
