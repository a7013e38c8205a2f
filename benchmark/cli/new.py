"""`benchmark new`: the package of a plugin to begin with."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

# As `benchmark.scaffold` has them, which need not be imported for `--help`.
KINDS = ("method", "augmentation", "metric", "dataset", "protocol", "tracker")


def add_commands(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser("new", help="begin a plugin: write a package that is complete and passes every check")
    parser.add_argument("kind", choices=KINDS, help="what it will offer")
    parser.add_argument("name", metavar="NAME", help="such as my-method")
    parser.add_argument(
        "--path", type=Path, default=Path(), metavar="DIR", help="where its folder goes (default: here)"
    )
    parser.add_argument(
        "--from", dest="source", choices=("torch",), help="for a method: from a plain torch module, without MMEngine"
    )
    parser.set_defaults(function=new)


def new(options: argparse.Namespace) -> None:
    """`benchmark new KIND NAME`."""
    from benchmark.errors import UsageError
    from benchmark.scaffold import new_package, next_steps

    if options.source and options.kind != "method":
        raise UsageError(f"--from belongs to a method, which a {options.kind} is not")
    for path in new_package(options.kind, options.name, options.path, options.source):
        print(path)
    folder = options.path / options.name
    print(f"\n{folder / 'README.md'} says what each file is for. It works as it is; change it, and then:")
    print(f"  cd {shlex.quote(str(folder))}")
    for line in next_steps(folder):
        print(f"  {line}")
