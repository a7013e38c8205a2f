"""`benchmark doctor`: what is wrong with this environment, and what to do about it."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from typing import Any

from benchmark.cli.output import add_json, print_json, print_table
from benchmark.errors import EnvironmentProblem


def add_commands(commands: Any) -> None:
    """Declare the command of this module."""
    doctor = commands.add_parser("doctor", help="check this environment, and say what to do about it")
    add_json(doctor)
    doctor.set_defaults(function=examine)


def examine(options: argparse.Namespace) -> int:
    """`benchmark doctor`: exit 3 if anything must be mended."""
    from benchmark.cli.health import checks

    results = checks()
    if options.json:
        print_json([dataclasses.asdict(result) for result in results])
    else:
        shown = {"ok": "ok", "warning": "warning", "problem": "PROBLEM"}
        print_table([[shown[r.level], r.subject, r.finding] for r in results], ["", "check", "finding"])
        advice = [f"{result.subject}: {result.advice}" for result in results if result.advice]
        if advice:
            print("\nWhat to do:")
            print("\n".join(f"* {line}" for line in advice))
    sys.stdout.flush()
    return EnvironmentProblem.exit_code if any(result.level == "problem" for result in results) else 0
