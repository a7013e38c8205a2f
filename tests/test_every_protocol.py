"""Every protocol on synthetic data, with one small method, from the command line to a scored record."""

from __future__ import annotations

import json

import pytest

from benchmark.shipped import shipped
from tests.conftest import benchmark

PROTOCOLS = sorted(path.stem for path in shipped("protocols").glob("*.yaml"))


@pytest.mark.slow
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_protocol_runs_on_synthetic_data_to_a_scored_record(protocol, tmp_path_factory):
    runs = tmp_path_factory.getbasetemp() / "every-protocol"
    command = ("--protocol", protocol, "--demo", "--method", "tsm", "--set", "epochs=1", "--json")
    done = benchmark("run", *command, "-o", runs)
    assert done.returncode == 0, done.stderr
    (record,) = json.loads(done.stdout)
    assert record["protocol"]["name"] == protocol
    assert record["marks"]["synthetic"]
    assert record["marks"]["incomplete"] == []
    assert record["eligible"] == (record["protocol"]["definition"]["selection"]["policy"] == "val")
    assert all(unit["scores"]["test"]["clips"] > 0 for unit in record["units"])
