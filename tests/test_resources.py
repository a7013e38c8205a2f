"""What a process may use is what it was given, not what the machine has."""

from __future__ import annotations

import os

import pytest

from benchmark import resources
from benchmark.running.machine import Resources


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine of 64 cores, whose control groups and scheduler can be set."""
    for name in (*resources.CORE_VARIABLES, resources.MEMORY_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)))
    monkeypatch.setattr(os, "sysconf", lambda name: {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 2**26}[name])
    monkeypatch.setattr(resources, "_limits", lambda name: iter(()))
    return monkeypatch


def test_a_process_with_an_affinity_has_so_many_cores(machine):
    assert resources.cores() == 64
    machine.setattr(os, "sched_getaffinity", lambda process: {3, 7})
    assert resources.cores() == 2


@pytest.mark.parametrize("name", resources.CORE_VARIABLES)
def test_a_schedulers_promise_counts(machine, name):
    machine.setenv(name, "6")
    assert resources.cores() == 6


@pytest.mark.parametrize(("quota", "cores"), [("150000 100000", 2), ("50000 100000", 1), ("max 100000", 64)])
def test_a_control_groups_quota_counts(machine, quota, cores):
    machine.setattr(resources, "_limits", lambda name: iter([quota] if name == "cpu.max" else []))
    assert resources.cores() == cores


def test_memory_is_the_least_of_machine_group_and_scheduler(machine):
    assert resources.memory() == 2**38
    machine.setattr(resources, "_limits", lambda name: iter(["max", str(2**34)] if name == "memory.max" else []))
    assert resources.memory() == 2**34
    machine.setenv(resources.MEMORY_VARIABLE, "4096")
    assert resources.memory() == 2**32


def test_a_whole_nodes_memory_is_no_limit(machine):
    machine.setenv(resources.MEMORY_VARIABLE, "0")
    assert resources.memory() == 2**38


@pytest.mark.parametrize(
    ("cores", "gibibytes", "threads", "jobs"), [(64, 256, 1, 4), (2, 256, 1, 2), (64, 7, 1, 2), (4, 256, 4, 1)]
)
def test_units_at_a_time_fit_the_cores_and_the_memory(machine, cores, gibibytes, threads, jobs):
    machine.setattr(os, "sched_getaffinity", lambda process: set(range(cores)))
    machine.setattr(resources, "_limits", lambda name: iter([str(gibibytes * 2**30)] if name == "memory.max" else []))
    chosen = Resources(threads=threads)
    assert (chosen.jobs_on(accelerated=False), chosen.jobs_on(accelerated=True)) == (jobs, 1)
    assert Resources(jobs=7).jobs_on(accelerated=True) == 7


def test_threads_do_not_follow_from_the_machine(machine):
    assert Resources().threads == 1
