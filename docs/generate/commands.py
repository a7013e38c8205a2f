"""The command reference, from the parsers themselves."""

from __future__ import annotations

import argparse

from benchmark.cli.examples import EXAMPLES
from benchmark.cli.main import build_parser
from benchmark.cli.parser import commands_of
from docs.generate.docstrings import cell

# Every command has them.
EVERYWHERE = ("--help", "--debug")
INTRODUCTION = """# Commands

Made from the commands' own parsers; `benchmark COMMAND --help` prints the same. Every command also takes `--help`, and
`--debug`, which shows the traceback of an error. Results go to stdout, everything else to stderr.

| exit code | what it means |
|---|---|
| 0 | done, also when the reader of stdout (`head`) stopped reading |
| 1 | a unit failed, or another process is at work on it; the rest is kept. Or something happened that nobody foresaw |
| 2 | the command is wrong, or a file that it names |
| 3 | data, device, package, disk space, permission or memory is missing, or a plugin is broken |
| 4 | a file contradicts what is known of it |
| 130, 143 | interrupted (SIGINT, SIGTERM) |
"""


def page() -> str:
    """All commands, each with its usage, arguments and examples."""
    return "\n".join([INTRODUCTION, *(_command(name, parser) for name, parser in commands_of(build_parser()))])


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
