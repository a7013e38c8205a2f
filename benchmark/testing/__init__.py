"""Checks of plugins, by name: what `benchmark check-plugin` runs, for the tests of a plugin's own.

    import pytest
    from benchmark import testing

    @pytest.mark.parametrize("check", testing.checks("my-method"), ids=str)
    def test_plugin(check):
        check()

A check that fails raises `CheckFailed`, whose message says what is wrong and what to do. Importing this imports no
torch.
"""

from benchmark.testing.check import Check, CheckFailed, Result, Skipped
from benchmark.testing.finding import checks

__all__ = ["Check", "CheckFailed", "Result", "Skipped", "checks"]
