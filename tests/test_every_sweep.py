"""Every sweep that ships, with the small presets on synthetic data, one epoch on one fold, to its table."""

from __future__ import annotations

import json

import pytest

from benchmark.planning.sweep_file import expand, find_sweep, shipped_sweeps
from tests.conftest import benchmark


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(shipped_sweeps()))
def test_a_sweep_runs_on_synthetic_data_to_its_table(name, tmp_path_factory):
    # One folder for all: rows that two sweeps share run once.
    runs = tmp_path_factory.getbasetemp() / "every-sweep"
    little = ("--folds", "1", "--set", "epochs=1", "--limit", "24")
    done = benchmark("sweep", name, "--demo", "--device", "cpu", *little, "--json", "-o", runs)
    assert done.returncode == 0, done.stderr
    table = json.loads(done.stdout)
    sweep = find_sweep(name)
    assert table["synthetic"] is True
    assert [row["row"] for row in table["rows"]] == [cell.label for _ in sweep.protocols for cell in expand(sweep)]
    for row in table["rows"]:
        assert row["units"]["finished"] == row["units"]["asked"] == 1
        assert set(row["differences"]) == (set(sweep.metrics) if row["baseline"] else set())
    assert (runs / f"sweeps/{name}.md").is_file()
