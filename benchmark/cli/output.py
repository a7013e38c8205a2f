"""What every command prints with: results on stdout, everything else on stderr."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any, TextIO

# What moves the cursor, recolours or reorders text, or cannot be written at all; a line break and a tab may stay.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """The text with control characters spelled out: names from files must not steer the terminal."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape", "surrogatepass").decode(), text)


class _Printable:
    """A text stream that spells control characters out."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write it; returns the number of characters given."""
        self.stream.write(printable(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextlib.contextmanager
def printing_plainly() -> Iterator[None]:
    """Inside the block nothing that is printed, by whatever code, reaches the terminal as a control character."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(_Printable(sys.stdout)))
        stack.enter_context(contextlib.redirect_stderr(_Printable(sys.stderr)))
        yield


def terminal() -> TextIO:
    """The stream behind stderr, for what may steer the terminal: the bars of progress."""
    return sys.stderr.stream if isinstance(sys.stderr, _Printable) else sys.stderr


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
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    print(_CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


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
        # Bars of progress take the place of stderr while they are shown.
        print(printable(message), file=sys.stderr, flush=True)


# Lines shown of one kind; --json has them all.
SHOWN = 20


def print_some(title: str, lines: Sequence[str]) -> None:
    """The first lines of one kind, each with its title, and how many more there are."""
    for line in lines[:SHOWN]:
        print(f"{title}: {line}")
    if len(lines) > SHOWN:
        print(f"{title}: and {len(lines) - SHOWN:,} more (--json lists them all)")
