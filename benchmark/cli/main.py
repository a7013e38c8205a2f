"""`benchmark`: parsing, and the one place where an error becomes a message and an exit code."""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from types import FrameType

from benchmark.cli import (
    check_plugin,
    compare,
    completion,
    data,
    doctor,
    further,
    leaderboard,
    list_show,
    new,
    plot,
    predict,
    pretrain,
    prune,
    run,
    score,
    status,
    sweep,
    weights,
    work,
)
from benchmark.cli.output import note, printing_plainly
from benchmark.cli.parser import Parser, ShowVersions, add_examples
from benchmark.failures import DEBUG, Interrupted, explain, show_trace
from benchmark.registry import registry
from benchmark.resources import choose_device
from benchmark.running.torchrun import started_by_torchrun

INTERRUPTED, TERMINATED = 130, 143
# In the order in which `--help` lists them.
COMMANDS = (
    list_show,
    doctor,
    data,
    pretrain,
    run,
    sweep,
    work,
    predict,
    status,
    prune,
    score,
    compare,
    further,
    plot,
    leaderboard,
    weights,
    new,
    check_plugin,
    completion,
)


def build_parser() -> Parser:
    """The whole command line; nothing heavy is imported to build it."""
    parser = Parser(prog="benchmark", description="A benchmark for dynamic facial expression recognition.")
    parser.add_argument("--version", action=ShowVersions)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    for module in COMMANDS:
        module.add_commands(commands)
    add_examples(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started this
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    with printing_plainly():
        return _run(arguments)


def _run(arguments: Sequence[str] | None) -> int:
    parser = build_parser()
    completion.complete(parser)
    options = parser.parse_args(arguments)
    options.arguments = list(sys.argv[1:] if arguments is None else arguments)
    if hasattr(options, "debug"):
        os.environ[DEBUG] = "1"
    with _signals_raised():
        try:
            code = (_led_by_torchrun if started_by_torchrun() > 1 else _called)(options)
            sys.stdout.flush()
        except BaseException as error:
            code = _told(error)
    if options.function is not doctor.examine:
        _warn_of_plugins()
    return code


def _called(options: argparse.Namespace) -> int:
    # Before anything is imported that asks CUDA what there is; workers on a cluster choose for themselves.
    if hasattr(options, "device") and not getattr(options, "on", None):
        choose_device(options.device)
    return options.function(options) or 0


def _led_by_torchrun(options: argparse.Namespace) -> int:
    """As `_called`, by one of the processes that torchrun has started; the others help it, where they can."""
    from benchmark.running.team import torchrun_led

    with torchrun_led(hasattr(options, "gpus"), getattr(options, "device", "")) as leads:
        return _called(options) if leads else 0


def _told(error: BaseException) -> int:
    """Say in one line what ended the command; its exit code."""
    show_trace(error)
    if isinstance(error, KeyboardInterrupt):
        note("interrupted; nothing finished is lost: the same command continues where it left off")
        return TERMINATED if isinstance(error, _Terminated) else INTERRUPTED
    if isinstance(error, BrokenPipeError) and _reader_left():
        # It (for example `head`) has seen enough.
        _discard_stdout()
        return 0
    if isinstance(error, OSError):
        _discard_stdout()
    failure = explain(error)
    note(f"error: {failure.message}")
    return failure.exit_code


def _reader_left() -> bool:
    """Whether it is stdout whose other end is closed, and not some other pipe."""
    poll = select.poll()
    try:
        poll.register(sys.stdout.fileno(), 0)
    except (OSError, ValueError):
        return False
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def _discard_stdout() -> None:
    """After an error of the system: where it is stdout's, Python's own last flush would fail as well, and say so."""
    try:
        sys.stdout.flush()
        return
    except (OSError, ValueError):
        pass
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _warn_of_plugins() -> None:
    """Name every plugin that could not be used, with the reason, whatever the command was."""
    if not registry.cache_info().currsize:
        return
    for problem in registry().problems:
        note(f"warning: {problem}")
    if os.environ.get(DEBUG):
        for trace in registry().traces:
            note(trace.rstrip())


class _Terminated(Interrupted):
    pass


@contextlib.contextmanager
def _signals_raised() -> Iterator[None]:
    """SIGINT and SIGTERM end the block with an error of their own, also where SIGINT was ignored (`nohup ... &`).

    A plugin's KeyboardInterrupt is then another one. A second SIGTERM does not disturb the clearing up.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kinds: dict[int, type[Interrupted]] = {signal.SIGINT: Interrupted, signal.SIGTERM: _Terminated}

    def interrupt(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGTERM:
            signal.signal(number, signal.SIG_IGN)
        raise kinds[number]

    before = {number: signal.signal(number, interrupt) for number in kinds}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
