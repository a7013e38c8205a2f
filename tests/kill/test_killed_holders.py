"""Processes that hold leases are killed at random moments: nothing is lost, and nothing is done twice."""

from __future__ import annotations

import random
import subprocess
import sys
import time

import pytest

# Units of some steps, each of which is a file that is replaced; the last unit is left until the killing is over.
WORKER = """
import os, random, socket, sys, time
from pathlib import Path
from benchmark import locks
from benchmark.files import write_text

folder, host, steps = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
socket.gethostname = lambda: host
locks.BEAT, locks.SILENCE = 0.1, 3.0

def stored(place):
    return int((place / "step").read_text()) if (place / "step").exists() else 0

def work(place):
    if (place / "done").exists():
        return True
    try:
        with locks.exclusive(place, patience=0):
            if (place / "done").exists():
                return True
            step = stored(place)
            while step < steps:
                time.sleep(0.01)
                step += 1
                assert not (place / f"step-{step}").exists() or stored(place) == step - 1
                write_text(place / f"step-{step}", "")
                write_text(place / "step", str(step))
            write_text(place / "done", "")
            with open(place / "ends", "a") as file:
                file.write(f"{os.getpid()}\\n")
    except locks.Busy:
        return False
    return True

while True:
    places = sorted(folder.glob("unit-*"))
    if not (folder / "calm").exists():
        places = places[:-1]
    random.shuffle(places)
    if all([work(place) for place in places]) and (folder / "calm").exists():
        break
    time.sleep(0.02)
"""


@pytest.mark.parametrize(("kills", "units", "steps"), [(15, 40, 5), pytest.param(200, 400, 20, marks=pytest.mark.slow)])
def test_units_whose_holders_are_killed_are_each_brought_to_their_end_once(kills, units, steps, tmp_path):
    seed = random.SystemRandom().randrange(2**32)
    print(f"random moments from seed {seed}")
    draw = random.Random(seed)
    for number in range(units):
        (tmp_path / f"unit-{number:04}").mkdir()

    def start():
        command = [sys.executable, "-c", WORKER, str(tmp_path), draw.choice(("one", "other")), str(steps)]
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    workers = [start() for _ in range(4)]
    try:
        for _ in range(kills):
            time.sleep(draw.uniform(0, 0.5))
            position = draw.randrange(len(workers))
            workers[position].kill()
            workers[position].communicate()
            workers[position] = start()
        (tmp_path / "calm").touch()
        errors = [worker.communicate(timeout=600)[1] for worker in workers]
        assert [worker.returncode for worker in workers] == [0] * len(workers), errors
    finally:
        for worker in workers:
            worker.kill()
    for place in tmp_path.glob("unit-*"):
        # Of one that was killed after its last write, the lease is left.
        names = {path.name for path in place.iterdir() if not path.name.startswith(".")}
        assert names - {"ends"} == {"done", "step", *(f"step-{number + 1}" for number in range(steps))}
        # A worker that was killed before it could note the end leaves no note.
        assert len((place / "ends").read_text().split() if "ends" in names else []) <= 1
