"""The one place where any error becomes one sentence and one exit code: the system's, Python's own, and a plugin's."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmark.errors import BenchmarkError, EnvironmentProblem, IntegrityError

# Set by `--debug`, and so known to worker processes as well.
DEBUG = "BENCHMARK_DEBUG"
# Characters of a foreign error's message that are shown.
WIDTH = 500

_AGAIN = "nothing finished is lost: the same command continues where it left off"
_SPACE = f"free some space and run the same command again; {_AGAIN}"
_RIGHTS = f"choose another place, or change its owner or mode; {_AGAIN}"
_FILES = f"raise the limit (`ulimit -n 65536`), or use fewer --workers and --jobs; {_AGAIN}"
_DISK = f"the disk or its connection failed; {_AGAIN}"

# What happened and what to do about it, by the system's number of the error.
_SYSTEM: dict[int, tuple[str, str]] = {
    errno.ENOSPC: ("no space left on the disk", _SPACE),
    errno.EDQUOT: ("the disk quota is used up", _SPACE),
    errno.EFBIG: ("the file is larger than this file system or `ulimit -f` allows", _SPACE),
    errno.EROFS: ("the file system is read-only", f"choose a place that can be written to; {_AGAIN}"),
    errno.EACCES: ("permission denied", _RIGHTS),
    errno.EPERM: ("the system does not permit it", _RIGHTS),
    errno.ENAMETOOLONG: (
        "the name is too long for this file system",
        "use a shorter --output, fewer options in one row, or another file system",
    ),
    errno.ENOENT: ("no such file or folder", "was it moved or deleted meanwhile?"),
    errno.EEXIST: ("something of that name is there already", "move it away"),
    errno.EISDIR: ("is a folder where a file should be", "name a file"),
    errno.ENOTDIR: ("is a file where a folder should be", "choose another place, or move the file away"),
    errno.ENOTEMPTY: ("the folder is not empty", "move away what is in it"),
    errno.ELOOP: ("symbolic links that lead in a circle", "mend the links"),
    errno.EMFILE: ("too many open files", _FILES),
    errno.ENFILE: ("the system has too many open files", _FILES),
    errno.ENOMEM: ("not enough memory", f"close other programs, or use fewer --workers and --jobs; {_AGAIN}"),
    errno.EAGAIN: ("the system allows no more processes", f"use fewer --workers and --jobs; {_AGAIN}"),
    errno.EIO: ("reading or writing failed", _DISK),
    errno.ESTALE: ("the network file system lost the file", _DISK),
    errno.ENOTCONN: ("the network file system is gone", _DISK),
    errno.ETIMEDOUT: ("the file system did not answer", _DISK),
    errno.ENXIO: ("is a device or a pipe where a file should be", "name a file"),
    errno.ENODEV: ("is a device where a file should be", "name a file"),
    errno.EINVAL: ("the file system cannot do this", "choose another place"),
    errno.ENOTSUP: ("the file system cannot do this", "choose another place"),
    errno.ENOSYS: ("the file system cannot do this", "choose another place"),
    errno.ENOLCK: ("the file system offers no locks", "choose another place"),
    errno.EPIPE: ("whoever reads this has stopped reading", _AGAIN),
    errno.EXDEV: ("the place lies on another file system", "choose another place"),
    errno.ETXTBSY: ("the file is in use", _AGAIN),
}
# What would stop every other unit as well.
_EVERYWHERE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EMFILE, errno.ENFILE}


class Interrupted(KeyboardInterrupt):
    """A signal that came from outside; a plain KeyboardInterrupt may be raised by anybody."""


@dataclass(frozen=True)
class Failure:
    """What to tell about an error, in one line unless its author chose several, and the exit code that goes with it."""

    message: str
    exit_code: int


def explain(error: BaseException) -> Failure:
    """The sentence and the exit code of any error."""
    if isinstance(error, BenchmarkError):
        return Failure(str(error), error.exit_code)
    environment = EnvironmentProblem.exit_code
    if isinstance(error, OSError) and error.errno is not None:
        what, advice = _SYSTEM.get(error.errno, (error.strerror or os.strerror(error.errno), _AGAIN))
        places = dict.fromkeys(_shown(place) for place in (error.filename, error.filename2) if place is not None)
        return Failure(f"{' and '.join(places) + ': ' if places else ''}{what}: {advice}", environment)
    if isinstance(error, MemoryError):
        return Failure(
            f"not enough memory: use fewer --workers and --jobs, or a machine with more; {_AGAIN}", environment
        )
    if isinstance(error, ImportError):
        return Failure(f"{one_line(error)}; `benchmark doctor` says what is wrong with this environment", environment)
    if isinstance(error, UnicodeError):
        return Failure(f"a file or a name is not UTF-8 text: {one_line(error)}", IntegrityError.exit_code)
    if isinstance(error, RecursionError):
        return Failure("a file is nested too deeply to be read", IntegrityError.exit_code)
    named = f"{type(error).__name__}: {one_line(error)}".removesuffix(": ")
    return Failure(f"{named} (unexpected; --debug shows where)", 1)


def reason_of(error: BaseException) -> str:
    """Why a unit failed: the sentence of an expected failure, else the error's name and what it says, in one line."""
    if isinstance(error, (BenchmarkError, OSError, MemoryError)):
        return explain(error).message
    return f"{type(error).__name__}: {one_line(error)}".removesuffix(": ")


def one_line(error: BaseException) -> str:
    """What an error says, in one line of printable text that is not too long."""
    try:
        text = " ".join(str(error).split())
    # Even the message of a foreign error is foreign code.
    except Exception:
        return "its message cannot be shown"
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= WIDTH else text[: WIDTH - 4] + " ..."


def stops_everything(error: BaseException) -> bool:
    """Whether the other units would fail in the same way."""
    return isinstance(error, OSError) and error.errno in _EVERYWHERE


@contextlib.contextmanager
def system_errors_told() -> Iterator[None]:
    """Errors of the system leave the block as the BenchmarkError that `explain` makes of them."""
    try:
        yield
    except (OSError, MemoryError) as error:
        raise EnvironmentProblem(explain(error).message) from error


def trace_of(error: BaseException) -> str:
    """The error's traceback."""
    return "".join(traceback.format_exception(error))


def keep_trace(error: BaseException, log: Path) -> None:
    """Add the error's traceback to a unit's log, and show it if `--debug` was given."""
    show_trace(error)
    # What is wrong is told anyway; the disk may be what is wrong.
    with contextlib.suppress(OSError), open(log, "a", encoding="utf-8") as file:
        file.write(trace_of(error))


def show_trace(error: BaseException) -> None:
    """Print the error's traceback to stderr if `--debug` was given."""
    if os.environ.get(DEBUG):
        with contextlib.suppress(OSError, ValueError):
            print(trace_of(error), file=sys.stderr, end="", flush=True)


def _shown(place: object) -> str:
    text = os.fsdecode(place) if isinstance(place, (str, bytes, os.PathLike)) else str(place)
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    # Whole, a name that is too long would fill the screen.
    return text if len(text) <= WIDTH else f"{text[: WIDTH // 2]}...{text[-WIDTH // 4 :]}"
