"""The parser behind every command, and what is done to all of them: descriptions and examples below `--help`."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterator
from typing import Any, NoReturn

from benchmark.cli.examples import EXAMPLES
from benchmark.cli.versions import versions

HEADING = "examples:\n"


class _Help(argparse.HelpFormatter):
    """argparse's, except that examples and tables keep their lines."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else super()._fill_text(text, width, indent)


class Parser(argparse.ArgumentParser):
    """argparse, with the nearest command suggested, and `--debug` wherever it is written."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=_Help, **options)
        self.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help="show the traceback of every error"
        )

    def error(self, message: str) -> NoReturn:
        """Exit 2 with what is wrong and how to see the options."""
        if "invalid choice: " in message:
            given = message.split("invalid choice: ")[1].split("'")[1]
            choices = [c for action in self._actions for c in (action.choices or ())]
            near = difflib.get_close_matches(given, choices, n=1)
            if near:
                message = f"unknown '{given}'; did you mean '{near[0]}'?"
        self.exit(2, f"error: {message}\n(see `{self.prog} --help`)\n")


class ShowVersions(argparse.Action):
    """`--version`: asked of the installed packages only when somebody wants to know."""

    def __init__(self, **options: Any) -> None:
        super().__init__(nargs=0, help="versions of the benchmark and of what it computes with", **options)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        """Print them and exit."""
        print("\n".join(f"{name} {version}" for name, version in versions().items()))
        parser.exit()


def commands_of(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command below the parser that does something, as it is written (`data check`), with its own parser."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                found = [(f"{name} {rest}", leaf) for rest, leaf in commands_of(below)]
                yield from found or [(name, below)]


def add_examples(parser: argparse.ArgumentParser) -> None:
    """Give each command the sentence of the list it stands in as its description, and its examples."""
    _describe(parser)
    for name, command in [("", parser), *commands_of(parser)]:
        if name in EXAMPLES:
            command.epilog = HEADING + "\n".join(f"  {line}" for line in EXAMPLES[name])


def _describe(parser: argparse.ArgumentParser) -> None:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for listed in action._choices_actions:
                below = action.choices[listed.dest]
                text = listed.help or ""
                below.description = below.description or f"{text[:1].upper()}{text[1:]}".rstrip(". ") + "."
                _describe(below)
