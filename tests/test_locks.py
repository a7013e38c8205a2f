"""One process at a time in a folder, whatever locks the file system has."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from benchmark import locks
from benchmark.files import write_text
from benchmark.locks import LEASE, Busy, Lost, exclusive, holder_of, take
from tests.faults import Faults

FIRST = f"{LEASE}1"
HOLD = "import sys\nfrom pathlib import Path\nfrom benchmark.locks import exclusive\n{fault}"
HOLD += "with exclusive(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
LOCKS = {
    "locks": "",
    "no locks": "import fcntl, errno\ndef no(*_): raise OSError(errno.ENOLCK, 'none')\nfcntl.flock = no\n",
    "locks that hold on one machine": "import fcntl\nfcntl.flock = lambda *_: None\n",
}
ANOTHER = "import socket\nsocket.gethostname = lambda: 'another'\n"
DEAD = {"host": "another", "boot": "", "space": "", "pid": 1, "start": "1", "token": "t", "since": 0.0, "beat": 3}


@pytest.fixture(params=[*LOCKS, "another machine"])
def held(request, tmp_path, monkeypatch):
    """A folder that another process holds, and that process."""
    faults = Faults(monkeypatch, tmp_path)
    if request.param == "no locks":
        faults.no_locks()
    code = HOLD.format(fault=LOCKS.get(request.param, ANOTHER))
    command = [sys.executable, "-c", code, str(tmp_path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield tmp_path, process
    process.kill()
    process.communicate()


@pytest.fixture
def clock(monkeypatch):
    """Time passes when `clock.now` is changed; a wait passes it."""
    fake = SimpleNamespace(now=0.0, time=lambda: 0.0)
    fake.monotonic = lambda: fake.now
    fake.sleep = lambda seconds: setattr(fake, "now", fake.now + seconds)
    monkeypatch.setattr(locks, "time", fake)
    return fake


def write(lease, says):
    lease.write_bytes(json.dumps(says).encode().ljust(locks.SIZE))


def free(folder):
    """Whether nobody holds the folder; it is not held afterwards."""
    try:
        take(folder).release()
    except Busy:
        return False
    return True


def test_a_folder_that_is_held_is_busy_and_who_holds_it_is_named(held):
    folder, process = held
    with pytest.raises(Busy, match=f"busy: process {process.pid} on "), exclusive(folder, patience=0.3):
        pass
    assert holder_of(folder).pid == process.pid


def test_a_folder_is_free_when_its_holder_has_ended(held):
    folder, process = held
    process.communicate("")
    with exclusive(folder, patience=0.3):
        assert json.loads((folder / FIRST).read_text())["pid"] == os.getpid()
    assert list(folder.iterdir()) == []
    assert holder_of(folder) is None


@pytest.mark.parametrize("reaped", [True, False])
def test_a_killed_holder_on_this_machine_is_noticed_at_once(held, reaped):
    folder, process = held
    process.kill()
    if reaped:
        process.wait()
    else:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    here = ANOTHER not in process.args[2]
    assert free(folder) == here


def test_a_holder_on_another_machine_is_dead_when_it_was_silent_for_long(tmp_path, clock):
    write(tmp_path / FIRST, DEAD)
    with pytest.raises(Busy, match="process 1 on another"), exclusive(tmp_path, patience=0.3):
        pass
    clock.now += locks.SILENCE
    with exclusive(tmp_path, patience=0.3):
        pass


def test_a_holder_of_another_numbering_of_processes_is_not_dead_because_its_number_is_free_here(tmp_path):
    """Containers on one machine share its name, and may share everything else that it is called by."""
    write(tmp_path / FIRST, {**locks._myself(), "space": "pid:[1]", "pid": 2**22 + 1, "token": "t", "since": 0.0})
    assert not free(tmp_path)


def test_a_damaged_lease_does_not_hold_a_folder_for_ever(tmp_path, clock):
    (tmp_path / FIRST).write_text("{")
    assert not free(tmp_path)
    clock.now += locks.SILENCE
    with exclusive(tmp_path, patience=0.3):
        pass


@pytest.mark.parametrize("skew", [-1e8, 1e8])
def test_the_clocks_of_other_machines_and_of_the_disk_do_not_matter(skew, tmp_path, clock):
    lease = tmp_path / FIRST
    for beat in range(10):
        write(lease, {**DEAD, "since": skew, "beat": beat})
        os.utime(lease, (1e9 + skew, 1e9 + skew))
        assert not free(tmp_path)
        clock.now += 0.9 * locks.SILENCE
    assert not free(tmp_path)
    clock.now += locks.SILENCE
    assert free(tmp_path)


def test_whether_a_holder_is_known_to_live(tmp_path, clock):
    def living():
        with pytest.raises(Busy) as error:
            take(tmp_path)
        return error.value.living

    write(tmp_path / FIRST, DEAD)
    assert not living()  # seen for the first time
    write(tmp_path / FIRST, {**DEAD, "beat": 4})
    assert living()
    clock.now += locks.SILENCE - 1
    assert not living()  # for a while it has not shown itself
    write(tmp_path / FIRST, {**locks._myself(), "token": "t", "since": 0.0})
    assert living()  # its process runs here


def test_a_holder_that_lost_the_folder_replaces_no_file_in_it(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "_gone", lambda said: True)
    with exclusive(tmp_path):
        write_text(tmp_path / "below/state.json", "mine")
        taken = take(tmp_path)
        with pytest.raises(Lost, match="was lost to process"):
            write_text(tmp_path / "below/state.json", "late")
    assert (tmp_path / "below/state.json").read_text() == "mine"
    taken.check()  # and the end of the first holder did not take it from the second
    taken.release()
    write_text(tmp_path / "below/state.json", "anybody's")
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["state.json"]


PAUSED = (
    "import sys\nfrom pathlib import Path\nfrom benchmark import locks\nfrom benchmark.files import write_text\n"
    "locks.BEAT = 0.02\nfolder = Path(sys.argv[1])\n"
    "with locks.exclusive(folder):\n    print('held', flush=True)\n    sys.stdin.readline()\n"
    "    try:\n        write_text(folder / 'late', '')\n    except locks.Lost:\n        print('lost', flush=True)\n"
)


def test_a_process_that_was_paused_for_longer_than_its_lease_notices_it(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "SILENCE", 0.5)
    command = [sys.executable, "-c", PAUSED, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "held\n"
            process.send_signal(signal.SIGSTOP)
            with exclusive(tmp_path, patience=60):
                process.send_signal(signal.SIGCONT)
                out, _ = process.communicate("go on\n", timeout=60)
                assert out == "lost\n"
                assert list(tmp_path.iterdir()) == [tmp_path / f"{LEASE}2"]
        finally:
            process.kill()


@pytest.mark.parametrize("before", [None, 4])
def test_a_process_that_was_late_between_looking_and_creating_takes_nothing(before, tmp_path, monkeypatch):
    """It found the folder free, or a dead lease in it; before it went on, others had the folder, and one has it now."""
    look, looked = locks._leases, []
    monkeypatch.setattr(locks, "_gone", lambda said: said["token"] == "dead")
    if before:
        write(tmp_path / f"{LEASE}{before}", {**DEAD, "token": "dead"})

    def late(folder):
        found = look(folder)
        if not looked:
            for path in found:
                path.unlink()
            write(tmp_path / FIRST, DEAD)
        looked.append(found)
        return found

    monkeypatch.setattr(locks, "_leases", late)
    with pytest.raises(Busy, match="process 1 on another"):
        take(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [FIRST]
    assert json.loads((tmp_path / FIRST).read_text()) == DEAD


def test_of_many_that_find_a_dead_lease_one_takes_the_folder(tmp_path, monkeypatch):
    """Between any two steps another thread may come in between; numbers of leases begin again when one is let go."""
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    inside, most, taken = [], [], []

    def contend():
        for _ in range(30):
            try:
                lease = take(tmp_path)
            except Busy:
                continue
            inside.append(lease)
            most.append(len(inside))
            inside.remove(lease)
            taken.append(lease)
            # Half of them die.
            if len(taken) % 2:
                lease.release()
            else:
                dead.add(lease._says["token"])

    dead: set[str] = set()
    monkeypatch.setattr(locks, "_gone", lambda said: said is not None and said["token"] in dead)
    try:
        threads = [threading.Thread(target=contend) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(switch)
    assert taken
    assert set(most) == {1}


def test_filelock_does_not_take_over_dead_leases_where_names_cannot_be_exchanged(tmp_path, monkeypatch):
    """Why its SoftFileLease is not used: NFS and file systems in user space refuse the exchange, as is done here.

    If this fails, because filelock has learned it, `benchmark/locks.py` may have become superfluous.
    """
    filelock = pytest.importorskip("filelock")
    lease = tmp_path / "lease"
    for answer, expected in ((0, True), (errno.EINVAL, False)):
        lease.write_text("filelock/2\npid=9\nhost=another\nmode=lease\ntoken=t\nduration=0.1\n")
        if answer:
            monkeypatch.setattr("filelock._util._rename_call", lambda: (lambda *_: errno.EINVAL, 2))
        mine = filelock.SoftFileLease(lease, lease_duration=0.1)
        try:
            mine.acquire(timeout=1)
            taken = True
            mine.release()
        except filelock.Timeout:
            taken = False
        assert taken == expected
