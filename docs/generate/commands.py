"""The command reference, from the parsers themselves."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmark.cli.examples import EXAMPLES
from benchmark.cli.main import build_parser
from benchmark.cli.parser import commands_of
from docs.generate.docstrings import cell

ROOT = Path(__file__).parents[2]
# The head of the table in the README.
EXIT_CODES = "| code | what it means |"
# Every command has them.
EVERYWHERE = ("--help", "--debug")
INTRODUCTION = """# Commands

Made from the commands' own parsers; `benchmark COMMAND --help` prints the same. Every command also takes `--help`, and
`--debug`, which shows the traceback of an error. Results go to stdout, everything else to stderr.
"""


def page() -> str:
    """What exit codes mean, and all commands, each with its usage, arguments and examples."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    codes = EXIT_CODES + readme.partition(EXIT_CODES)[2].partition("\n\n")[0]
    return "\n".join(
        [
            INTRODUCTION,
            "## Exit codes",
            "",
            codes,
            "",
            *(_command(name, parser) for name, parser in commands_of(build_parser())),
        ]
    )


def _command(name: str, parser: argparse.ArgumentParser) -> str:
    lines = [f"## {name}", "", parser.description or "", "", "```text", _usage(parser), "```", ""]
    rows = [_row(action) for action in parser._actions if not set(action.option_strings) & set(EVERYWHERE)]
    if rows:
        lines += ["| argument | meaning |", "|---|---|", *rows, ""]
    if examples := EXAMPLES.get(name):
        lines += ["```console", *(f"$ {line}" for line in examples), "```", ""]
    return "\n".join(lines)


def _usage(parser: argparse.ArgumentParser) -> str:
    """The usage in lines of at most 80 characters, however wide the terminal is that builds the pages."""
    formatter = argparse.HelpFormatter(prog=parser.prog, width=80)
    formatter.add_usage(parser.usage, parser._actions, parser._mutually_exclusive_groups, prefix="")
    return formatter.format_help().strip()


def _row(action: argparse.Action) -> str:
    value = action.metavar or ("{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest)
    shown = "" if action.nargs == 0 else f" {value if isinstance(value, str) else ' '.join(value)}"
    written = [f"`{option}{shown}`" for option in action.option_strings] or [f"`{shown.strip()}`"]
    said = (action.help or "") % {"default": action.default}
    needed = " **Required.**" if action.required and action.option_strings else ""
    return f"| {', '.join(cell(name) for name in written)} | {cell(said)}{needed} |"
