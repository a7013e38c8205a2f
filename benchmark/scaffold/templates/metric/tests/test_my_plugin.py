"""The benchmark's checks of plugins, as a test each."""

import pytest

from benchmark import testing


@pytest.mark.parametrize("check", testing.checks("my-plugin"), ids=str)
def test_my_plugin(check: testing.Check) -> None:
    """What `benchmark check-plugin my-plugin` looks at."""
    check()
