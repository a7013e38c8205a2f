"""What every command prints with: results on stdout, everything else on stderr."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from typing import Any


def add_json(parser: argparse.ArgumentParser) -> None:
    """The option that every reading command has."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def positive(text: str) -> int:
    """An argument's type: a whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def print_table(rows: Sequence[Sequence[Any]], headers: Sequence[str]) -> None:
    """A plain table on stdout."""
    from tabulate import tabulate

    print(tabulate(rows, headers=headers, tablefmt="simple", disable_numparse=True))


def print_fields(fields: dict[str, Any]) -> None:
    """Names and values, those that are empty left out."""
    width = max(map(len, fields)) + 2
    for key, value in fields.items():
        if value not in (None, [], {}):
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            print(f"{key + ':':<{width}}" + text.replace("\n", "\n" + " " * width))


def note(message: str) -> None:
    """A line for the person at the terminal; without one (a closed pipe, a full disk) the work goes on."""
    with contextlib.suppress(OSError, ValueError):
        print(message, file=sys.stderr, flush=True)
