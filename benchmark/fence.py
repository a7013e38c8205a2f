"""Foreign code: what plugins bring. Wherever it is called, it is named, and whatever it does costs only itself.

What it prints goes to stderr, because stdout carries results. `os._exit` and a crash of the interpreter cannot be
fenced inside one process: such a plugin must be uninstalled.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmark.errors import BenchmarkError, EnvironmentProblem
from benchmark.failures import Interrupted, keep_trace, one_line


class PluginFault(EnvironmentProblem):
    """A plugin's code failed, or gave something that it may not give."""


@contextlib.contextmanager
def fenced(what: str, log: Path | None = None) -> Iterator[None]:
    """Foreign code runs in the block; whatever it raises becomes a PluginFault that begins with `what`.

    Errors that a user is meant to see pass, as do the system's, which name a file, and interrupts from outside.
    log: where tracebacks are kept.
    """
    try:
        with prints_apart():
            yield
    except (BenchmarkError, MemoryError):
        raise
    except BaseException as error:
        if log is not None and not from_outside(error):
            keep_trace(error, log)
        if from_outside(error) or (isinstance(error, OSError) and error.filename is not None):
            raise
        raise PluginFault(f"{what}: {type(error).__name__}: {one_line(error)}".removesuffix(": ")) from error


def prints_apart() -> contextlib.redirect_stdout[Any]:
    """Whatever is printed in the block goes to stderr, or nowhere if nobody reads it any more."""
    return contextlib.redirect_stdout(_Stderr())


class _Stderr(io.TextIOBase):
    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()


def from_outside(error: BaseException) -> bool:
    """Whether somebody interrupts this process; anybody can raise a KeyboardInterrupt of their own."""
    if isinstance(error, (Interrupted, GeneratorExit)):
        return True
    # Without the command line, Python's own handler turns Ctrl-C into an error that cannot be told from a plugin's.
    return isinstance(error, KeyboardInterrupt) and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def load_object(import_path: str) -> Callable[..., Any]:
    """The function at `package.module:name`, the form in which a spec points at heavy code, fenced at every call."""
    module, _, name = import_path.partition(":")
    with fenced(import_path):
        function = getattr(importlib.import_module(module), name)
    if not callable(function):
        raise PluginFault(f"{import_path}: is a {type(function).__name__}, which cannot be called")
    return _Fenced(import_path, function)


class _Fenced:
    def __init__(self, import_path: str, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self.import_path = import_path
        self.function = function

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        with fenced(self.import_path):
            return self.function(*arguments, **options)

    def __reduce__(self) -> tuple[Any, ...]:
        return load_object, (self.import_path,)
