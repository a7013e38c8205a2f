"""Many workers, of which many are killed: nothing is lost, and nothing is run twice to its end."""

from __future__ import annotations

import pytest

from tests.running.simulation import EPOCHS, Simulation


@pytest.mark.parametrize(
    ("units", "workers", "faults"),
    [(60, 12, 150.0), pytest.param(10_000, 200, 1500.0, marks=pytest.mark.slow)],
)
def test_units_of_workers_that_are_killed_pre_empted_or_paused_are_each_run_to_the_end_once(
    units, workers, faults, tmp_path, monkeypatch
):
    simulation = Simulation(tmp_path, units, workers, faults)
    simulation.play(monkeypatch)
    print(
        f"{units} units, {workers} workers, {dict(simulation.happened)}, {simulation.now / 3600:.1f} simulated hours; "
        f"{simulation.operations / units:.1f} operations of the disk and "
        f"{simulation.trained / units - EPOCHS:.3f} epochs trained again per unit"
    )
    assert len(simulation.ends) == units
    assert set(simulation.ends.values()) == {1}
    assert set(simulation.epochs.values()) == {EPOCHS}
    assert min(simulation.happened.values()) > 5
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
