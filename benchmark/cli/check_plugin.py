"""`benchmark check-plugin`: everything that must hold of a plugin, one line each, as it is found."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.cli.output import add_json, note, print_json
from benchmark.errors import EnvironmentProblem, UsageError

if TYPE_CHECKING:
    from benchmark.testing import Result

# As the outcome is shown.
WORDS = {"passed": "ok", "failed": "FAILED", "skipped": "skipped", "expected": "expected"}
BROKEN = EnvironmentProblem.exit_code


def add_commands(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "check-plugin", help="does a method, augmentation, metric, dataset, protocol or tracker do what it must?"
    )
    parser.add_argument("name", metavar="NAME", help="of one of these, or of a plugin or package with all that it has")
    parser.add_argument("--only", action="append", default=[], metavar="CHECK", help="run this check (repeatable)")
    parser.add_argument(
        "--expect",
        action="append",
        default=[],
        metavar="CHECK=REASON",
        help="it is known to fail, and why (repeatable)",
    )
    parser.add_argument("--data-root", type=Path, metavar="DIR", help="for a dataset: where a real copy of it lies")
    add_json(parser)
    parser.set_defaults(function=check_plugin)


def check_plugin(options: argparse.Namespace) -> int:
    """`benchmark check-plugin NAME`."""
    from benchmark.registry import unknown_name
    from benchmark.testing import checks

    found = checks(options.name, _expected(options.expect), options.data_root)
    for name in options.only:
        if name not in map(str, found):
            raise UsageError(f"--only {unknown_name('check', name, map(str, found))}")
    results: list[Result] = []
    for check in found:
        if options.only and str(check) not in options.only:
            continue
        if options.json:
            note(f"{check.subject}: {check}")
        elif not results or results[-1].subject != check.subject:
            print(check.subject)
        results.append(check.result())
        if not options.json:
            _show(results[-1])
    failed = [result for result in results if result.outcome == "failed"]
    if options.json:
        print_json([dataclasses.asdict(result) for result in results])
    else:
        counts = Counter(result.outcome for result in results)
        print(f"{len(results)} checks of {options.name}: {', '.join(f'{counts[key]} {key}' for key in counts)}")
    return BROKEN if failed else 0


def _show(result: Result) -> None:
    print(f"  {WORDS[result.outcome]:<9} {result.name}")
    if result.reason:
        print(f"            {result.reason}")
    sys.stdout.flush()


def _expected(given: list[str]) -> dict[str, str]:
    expected = {}
    for text in given:
        name, equals, reason = text.partition("=")
        if not equals:
            raise UsageError(f"--expect {text}: write CHECK=REASON")
        expected[name] = reason
    return expected
