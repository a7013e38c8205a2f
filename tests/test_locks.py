"""One process at a time in a folder, whatever locks the file system has."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from benchmark import locks
from benchmark.locks import LEASE, Busy, exclusive
from tests.faults import Faults

HOLD = "import sys\nfrom pathlib import Path\nfrom benchmark.locks import exclusive\n{fault}"
HOLD += "with exclusive(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
LOCKS = {
    "locks": "",
    "no locks": "import fcntl, errno\ndef no(*_): raise OSError(errno.ENOLCK, 'none')\nfcntl.flock = no\n",
    "locks that hold on one machine": "import fcntl\nfcntl.flock = lambda *_: None\n",
}


@pytest.fixture(params=LOCKS)
def held(request, tmp_path, monkeypatch):
    """A folder that another process holds, and that process."""
    faults = Faults(monkeypatch, tmp_path)
    if request.param == "no locks":
        faults.no_locks()
    code = HOLD.format(fault=LOCKS[request.param])
    command = [sys.executable, "-c", code, str(tmp_path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    if "machine" in request.param:
        lease = tmp_path / LEASE
        lease.write_text(json.dumps({**json.loads(lease.read_text()), "host": "another"}))
    yield tmp_path, process
    process.kill()
    process.communicate()


def test_a_folder_that_is_held_is_busy_and_who_holds_it_is_named(held):
    folder, process = held
    with pytest.raises(Busy, match=f"busy: process {process.pid} on "), exclusive(folder, patience=0.3):
        pass


def test_a_folder_is_free_when_its_holder_has_ended(held):
    folder, process = held
    if json.loads((folder / LEASE).read_text())["host"] == "another":
        pytest.skip("that process cannot remove a lease that says another machine")
    process.communicate("")
    with exclusive(folder, patience=0.3):
        assert json.loads((folder / LEASE).read_text())["pid"] == os.getpid()
    assert not (folder / LEASE).exists()


def test_a_killed_holder_on_this_machine_is_noticed_at_once(held):
    folder, process = held
    if json.loads((folder / LEASE).read_text())["host"] == "another":
        pytest.skip("for another machine there is the next test")
    process.kill()
    process.wait()
    with exclusive(folder, patience=1):
        pass


def test_a_holder_on_another_machine_is_dead_when_it_was_silent_for_long(tmp_path, monkeypatch):
    (tmp_path / LEASE).write_text(json.dumps({"host": "another", "boot": "", "pid": 1, "start": "1"}))
    with pytest.raises(Busy, match="process 1 on another"), exclusive(tmp_path, patience=0.3):
        pass
    monkeypatch.setattr(locks, "SILENCE", -1.0)
    with exclusive(tmp_path, patience=0.3):
        pass


def test_a_damaged_lease_does_not_hold_a_folder_for_ever(tmp_path, monkeypatch):
    (tmp_path / LEASE).write_text("{")
    monkeypatch.setattr(locks, "SILENCE", -1.0)
    with exclusive(tmp_path, patience=0.3):
        pass
