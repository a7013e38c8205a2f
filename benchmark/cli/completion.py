"""`benchmark completion`, and completing a command line while it is typed: options, files and registered names."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import Any

from benchmark.cli.parser import commands_of
from benchmark.errors import EnvironmentProblem

SHELLS = ("bash", "zsh")
# What a shell sets while it asks for completions.
ASKED = "_ARGCOMPLETE"
# Which names an option takes, and whether a file may be given instead; by the option's last name.
OPTIONS: dict[str, tuple[str, ...]] = {
    "protocol": ("protocols",),
    "method": ("methods",),
    "augment": ("augmentations",),
    "dataset": ("datasets",),
    "metric": ("metrics",),
}
FILES_TOO = ("protocol",)
# The same of arguments without an option, by their command.
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "show name": ("methods", "protocols", "augmentations", "datasets", "metrics", "sweeps"),
    "sweep file": ("sweeps",),
    "check-plugin name": ("methods", "augmentations", "datasets", "metrics", "protocols", "trackers"),
    "data show name": ("datasets",),
    "data check name": ("datasets",),
    "data audit datasets": ("datasets",),
    "data synthesize name": ("datasets",),
}


def add_commands(commands: Any) -> None:
    """Declare the command of this module."""
    completion = commands.add_parser("completion", help="what a shell needs to complete commands, options and names")
    completion.add_argument("shell", choices=SHELLS, help="which shell asks")
    completion.set_defaults(function=print_completion)


def print_completion(options: argparse.Namespace) -> None:
    """`benchmark completion SHELL`."""
    try:
        import argcomplete
    except ImportError:
        raise EnvironmentProblem("completion needs a small package more: pip install argcomplete") from None
    print(argcomplete.shellcode(["benchmark"], shell=options.shell))


def complete(parser: argparse.ArgumentParser) -> None:
    """Where a shell asks for completions, give them and exit; else do nothing."""
    if ASKED not in os.environ:
        return
    import argcomplete

    for command, leaf in commands_of(parser):
        for action in leaf._actions:
            option = action.option_strings[-1].lstrip("-") if action.option_strings else ""
            kinds = OPTIONS.get(option, ()) or ARGUMENTS.get(f"{command} {action.dest}", ())
            if kinds:
                action.completer = _completer(kinds, action.dest in FILES_TOO)  # type: ignore[attr-defined]
    argcomplete.autocomplete(parser, always_complete_options="long")


def _completer(kinds: tuple[str, ...], files_too: bool) -> Callable[..., list[str]]:
    def names(prefix: str, **_: Any) -> list[str]:
        from argcomplete.completers import FilesCompleter

        from benchmark.planning.sweep_file import shipped_sweeps
        from benchmark.registry import registry

        found = {kind: shipped_sweeps() if kind == "sweeps" else getattr(registry(), kind) for kind in kinds}
        known = sorted(name for names in found.values() for name in names)
        files = FilesCompleter(("yaml", "yml"))(prefix) if files_too else []
        return [name for name in known if name.startswith(prefix)] + list(files)

    return names
