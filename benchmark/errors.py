"""Errors that a user sees: one message each (what, where, what to do) and one exit code each."""


class BenchmarkError(Exception):
    """Base of every expected failure; the command line prints its message and exits with `exit_code`."""

    exit_code = 1


class UnitFailed(BenchmarkError):
    """A unit could not be finished; the others go on."""

    exit_code = 1


class UsageError(BenchmarkError):
    """The command asks for something that does not exist or does not fit together."""

    exit_code = 2


class EnvironmentProblem(BenchmarkError):
    """Data, a device or an installed package is missing."""

    exit_code = 3


class IntegrityError(BenchmarkError):
    """A file contradicts what is known of it: a hash, a schema, a score, a label, an untrusted checkpoint."""

    exit_code = 4
