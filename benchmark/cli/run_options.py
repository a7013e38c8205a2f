"""The options that `run` and `sweep` share, and what they mean to the library."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from benchmark.cli.output import add_json, positive
from benchmark.running.machine import Resources
from benchmark.units.precision import PRECISIONS

if TYPE_CHECKING:
    from benchmark.units.identity import Changed


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """The options that do not say which rows are run."""
    parser.add_argument("--folds", type=numbers, metavar="1-5", help="default: all of the protocol's folds")
    parser.add_argument("--preset", metavar="NAME", help="paper (default) or small (default with --demo)")
    parser.add_argument("--data-root", type=Path, metavar="DIR", help="where the datasets lie; or BENCHMARK_DATA_ROOT")
    add_resources(parser)
    add_changed(parser)
    add_tracking(parser)
    parser.add_argument("--jobs", type=positive, metavar="N", help="units at a time; default: by device, cores, memory")
    parser.add_argument(
        "--limit", type=positive, metavar="N", help="at most N clips per split, to try things; never ranked"
    )
    parser.add_argument("--demo", action="store_true", help="on synthetic data, made here, with the small presets")
    parser.add_argument("--dry-run", action="store_true", help="print what would run and stop")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs"), metavar="DIR", help="default: runs")
    add_json(parser)


def add_run_to_ask(parser: argparse.ArgumentParser, models: bool) -> None:
    """A finished run that is asked for further results; models: whether its checkpoints and its data are needed."""
    parser.add_argument("run", type=Path, metavar="RUN", help="a record.json, or the folder that holds it")
    if models:
        parser.add_argument("--data-root", type=Path, metavar="DIR", help="where the datasets are")
        parser.add_argument(
            "--weights",
            action="append",
            default=[],
            type=Path,
            metavar="FILE|DIR",
            help="the units' checkpoints, if they are not in the run's folder (repeatable)",
        )
    parser.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda or cuda:N")
    add_json(parser)


def add_resources(parser: argparse.ArgumentParser) -> None:
    """The options about what computes."""
    parser.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--workers", type=int, help="processes that read clips; default: by device and cores")
    parser.add_argument(
        "--threads",
        type=positive,
        default=1,
        metavar="N",
        help="threads of one unit on a processor; default: 1. Another number changes last digits, and is recorded",
    )
    add_precision(parser)
    parser.add_argument(
        "--deterministic", action="store_true", help="only algorithms that give the same digits each time; slower"
    )
    parser.add_argument(
        "--micro-batch",
        type=micro_batch,
        metavar="N",
        help="clips that go through the model together, or auto: as many as fit; the batch that is learned from stays",
    )
    parser.add_argument(
        "--checkpointing",
        action="store_true",
        help="compute activations again instead of keeping them: less memory, a third more time, the same result",
    )
    parser.add_argument(
        "--gpus", type=positive, metavar="N", help="accelerators that share each batch; default: one, or torchrun's"
    )
    parser.add_argument("--compile", action="store_true", help="compile the model (torch.compile); needs a C compiler")


def add_precision(parser: argparse.ArgumentParser) -> None:
    """In which precision is computed."""
    parser.add_argument(
        "--precision",
        choices=("auto", *PRECISIONS),
        default="auto",
        help="auto (default) is bf16 on an accelerator that has it, and else fp32",
    )


def add_changed(parser: argparse.ArgumentParser) -> None:
    """What becomes of finished work that an older recipe or older code has made; by default it is refused."""
    changed = parser.add_mutually_exclusive_group()
    changed.add_argument("--again", action="store_true", help="start over what older code or another recipe has made")
    changed.add_argument("--keep", action="store_true", help="keep what older code has finished; the record says so")


def add_tracking(parser: argparse.ArgumentParser) -> None:
    """The option that shows curves elsewhere."""
    parser.add_argument(
        "--track",
        action="append",
        default=[],
        metavar="T",
        help="also show the curves in tensorboard or wandb; repeatable, see `benchmark list trackers`",
    )


def resources_of(options: argparse.Namespace) -> Resources:
    """What was chosen about how units run."""
    changed: Changed = "again" if options.again else "keep" if options.keep else "refuse"
    return Resources(
        device=options.device,
        jobs=getattr(options, "jobs", None),
        threads=options.threads,
        workers=options.workers,
        changed=changed,
        precision=options.precision,
        deterministic=options.deterministic,
        compile=options.compile,
        micro_batch=options.micro_batch,
        checkpointing=options.checkpointing,
        gpus=options.gpus,
    )


def planning(options: argparse.Namespace) -> Resources:
    """The same where another machine will compute, whose devices this one need not have."""
    return dataclasses.replace(resources_of(options), device="auto", precision="auto")


def preset_of(options: argparse.Namespace) -> str:
    """The preset that was asked for, or the one that goes with the data."""
    return options.preset or ("small" if options.demo else "paper")


def micro_batch(text: str) -> int | Literal["auto"]:
    """A number of clips, or `auto`."""
    try:
        return "auto" if text == "auto" else positive(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is neither a number of clips nor auto") from None


def numbers(text: str) -> tuple[int, ...]:
    """`1-3,5` as (1, 2, 3, 5)."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        try:
            found += range(int(first), int(last or first) + 1)
        except ValueError:
            raise argparse.ArgumentTypeError(f"'{text}' is not like 1-5 or 0,1") from None
    if not found:
        raise argparse.ArgumentTypeError(f"'{text}' names nothing")
    return tuple(dict.fromkeys(found))
