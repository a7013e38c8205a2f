"""`benchmark`: parsing, and the one place where an error becomes a message and an exit code."""

from __future__ import annotations

import argparse
import difflib
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from benchmark import __version__
from benchmark.cli import board, compare, data, listing, plot, predict, pretrain, run, score, status, sweep, weights
from benchmark.errors import BenchmarkError

INTERRUPTED, TERMINATED = 130, 143


class Parser(argparse.ArgumentParser):
    """argparse, with the nearest command suggested."""

    def error(self, message: str) -> NoReturn:
        """Exit 2 with what is wrong and how to see the options."""
        if "invalid choice: " in message:
            given = message.split("invalid choice: ")[1].split("'")[1]
            choices = [c for action in self._actions for c in (action.choices or ())]
            near = difflib.get_close_matches(given, choices, n=1)
            if near:
                message = f"unknown '{given}'; did you mean '{near[0]}'?"
        self.exit(2, f"error: {message}\n(see `{self.prog} --help`)\n")


def build_parser() -> Parser:
    """The whole command line; nothing heavy is imported to build it."""
    parser = Parser(prog="benchmark", description="A benchmark for dynamic facial expression recognition.")
    parser.add_argument("--version", action="version", version=f"benchmark {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    for module in (listing, data, pretrain, run, sweep, predict, status, score, compare, plot, board, weights):
        module.add_commands(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    options = build_parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return options.function(options) or 0
    except BenchmarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt as interrupt:
        print("interrupted; nothing finished is lost: the same command continues where it left off", file=sys.stderr)
        return TERMINATED if isinstance(interrupt, _Terminated) else INTERRUPTED
    except BrokenPipeError:
        # The reader (for example `head`) has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


class _Terminated(KeyboardInterrupt):
    pass


def _terminate(signum: int, frame: FrameType | None) -> None:
    raise _Terminated
