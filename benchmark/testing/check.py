"""A check: a name, what it does, and what became of it."""

from __future__ import annotations

import dataclasses
import time
import unittest
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from benchmark.errors import BenchmarkError, EnvironmentProblem
from benchmark.failures import one_line, reason_of
from benchmark.fence import PluginFault, fenced

# What a check needs: a spec as it stands, a model that is built, or units that are run.
Level = Literal["spec", "model", "unit"]
Outcome = Literal["passed", "failed", "skipped", "expected"]


class CheckFailed(BenchmarkError, AssertionError):
    """What a plugin does wrong, and what to do about it."""


class Skipped(BenchmarkError, unittest.SkipTest):
    """Why nothing can be said here, or why a failure is expected; pytest and unittest show it as a skipped test."""


@dataclass(frozen=True)
class Result:
    """What became of a check, why, and how long it took."""

    subject: str
    name: str
    outcome: Outcome
    reason: str
    seconds: float


@dataclass(frozen=True)
class Check:
    """Something that must hold of a plugin. Calling it raises CheckFailed, or Skipped, or nothing.

    subject: what is checked, such as `method my-method`. expected: why it is known to fail; such a check fails if it
    passes.
    """

    subject: str
    name: str
    run: Callable[[], None] = dataclasses.field(repr=False)
    level: Level = "spec"
    expected: str = ""

    def __str__(self) -> str:
        return self.name

    def __call__(self) -> None:
        """Run it."""
        try:
            with fenced(self.subject):
                self.run()
        except Skipped:
            raise
        except Exception as error:
            if missing := _missing(error):
                raise Skipped(missing) from error
            if self.expected:
                raise Skipped(f"fails, as expected: {self.expected}") from error
            if isinstance(error, CheckFailed):
                raise
            raise CheckFailed(one_line(error) if isinstance(error, PluginFault) else reason_of(error)) from error
        if self.expected:
            raise CheckFailed(f"passes, but is expected to fail ({self.expected}): it is expected no longer")

    def result(self) -> Result:
        """Run it, and say what became of it."""
        start = time.monotonic()
        outcome, reason = self._outcome()
        return Result(self.subject, self.name, outcome, reason, time.monotonic() - start)

    def _outcome(self) -> tuple[Outcome, str]:
        try:
            self()
        except Skipped as skipped:
            # A failure that is expected was raised from the failure itself.
            return ("expected" if self.expected and skipped.__cause__ is not None else "skipped"), str(skipped)
        except CheckFailed as failure:
            return "failed", str(failure)
        return "passed", ""


def _missing(error: Exception) -> str | None:
    """What to install, where a plugin raised EnvironmentProblem to say that an extra of its own is not there."""
    told = type(error) is EnvironmentProblem and "install" in str(error)
    return str(error) if told else None


def require(holds: object, otherwise: str) -> None:
    """CheckFailed with that message unless it holds."""
    if not holds:
        raise CheckFailed(otherwise)
