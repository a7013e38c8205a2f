"""`benchmark data prepare`: crops, sheets and tables, and that a kill at any moment changes nothing in the end."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmark.cli.main import main
from benchmark.datasets.synthetic import MARKER
from benchmark.faces.crops import read_crops_file
from benchmark.faces.recipe import RECIPES
from benchmark.video.frames import open_clip
from tests.faces.drawing import DARK, LIGHT, scene, walk, write_video

FRAMES = 8

# Prepares, and is killed before the write with a given number, of those that something is seen of.
COUNTING = """
import os, signal, sys
from pathlib import Path
from benchmark.faces.prepare import prepare_clips
from benchmark.faces.recipe import RECIPES

last, writes = int(sys.argv[1]), 0

def counted(function):
    def run(*arguments, **options):
        global writes
        writes += 1
        if writes == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return run

os.replace = counted(os.replace)
for name in ("write_bytes", "rename", "mkdir", "unlink"):
    setattr(Path, name, counted(getattr(Path, name)))
clips = {path.stem: path for path in sorted(Path(sys.argv[2]).iterdir())}
prepare_clips(clips, Path(sys.argv[3]), RECIPES["haar"], False, 1, lambda done, total: None)
print(writes)
"""


def one_face(count: int = FRAMES, hidden=()) -> list[np.ndarray]:
    return [scene(*([] if k in hidden else [(place, LIGHT)])) for k, place in enumerate(walk(count))]


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    """One person, half of the clip without anybody, nobody, two people, and a file that is no video."""
    place = tmp_path_factory.mktemp("videos")
    write_video(place / "one.avi", one_face())
    write_video(place / "deeper/half.avi", one_face(hidden=range(4, 8)))
    write_video(place / "nobody.avi", [scene()] * FRAMES)
    two = [scene(((5, 20, 70), LIGHT), ((100, 30, 50), DARK)) for _ in range(FRAMES)]
    write_video(place / "two.avi", two)
    (place / "broken.avi").write_bytes(b"no video")
    return place


def content(folder: Path) -> dict[str, bytes]:
    """Every file, but for the lock."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".l")
    }


@pytest.fixture(scope="module")
def prepared(videos, tmp_path_factory):
    """The output folder, and what the command says."""
    out = tmp_path_factory.mktemp("prepared") / "out"
    command = [sys.executable, "-m", "benchmark", "data", "prepare", str(videos), "--output", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    return out, done


def test_every_clip_becomes_a_folder_of_numbered_crops(prepared):
    out, _ = prepared
    assert sorted(path.name for path in (out / "crops/one").iterdir()) == [f"{k:05d}.jpg" for k in range(1, 9)]
    assert sorted(path.name for path in (out / "crops/deeper/half").iterdir()) == [f"{k:05d}.jpg" for k in range(1, 5)]
    (crop,) = open_clip(out / "crops/one").read([3])
    assert crop.shape == (224, 224, 3)
    # The face fills it: its middle is skin, and the wall is at the edge alone.
    assert np.abs(crop[125, 100].astype(int) - LIGHT).max() < 30


def test_the_larger_of_two_is_cropped_and_the_other_counted(prepared):
    out, done = prepared
    (crop,) = open_clip(out / "crops/two").read([0])
    assert np.abs(crop[125, 100].astype(int) - LIGHT).max() < 30
    assert "1 clips show more people" in done.stdout


def test_a_clip_without_a_face_has_the_middle_of_its_frames_and_is_named(prepared):
    out, done = prepared
    assert len(list((out / "crops/nobody").iterdir())) == FRAMES
    assert "nobody" in done.stdout
    assert "middle of the picture" in done.stdout


def test_the_table_and_the_recipe_are_written_beside_the_crops(prepared):
    out, _ = prepared
    with open(out / "faces.csv", newline="") as file:
        rows = {row["clip"]: row for row in csv.DictReader(file)}
    assert {name: row["found"] for name, row in rows.items()} == {
        "deeper/half": "4",
        "nobody": "0",
        "one": "8",
        "two": "8",
    }
    assert rows["deeper/half"]["longest_gap"] == "4"
    assert rows["two"]["passed_over"] == "1"
    crops = read_crops_file(out / "crops/crops.json")
    assert (crops.recipe, crops.complete) == (RECIPES["haar"], True)
    assert crops.shares == {"deeper/half": 0.5, "nobody": 0.0, "one": 1.0, "two": 1.0}


def test_every_clip_has_a_contact_sheet(prepared):
    out, _ = prepared
    for name in ("one", "deeper/half", "nobody", "two"):
        (sheet,) = open_clip(out / f"sheets/{name}.jpg").read([0])
        assert sheet.shape[0] == 2 * 160 + 4


def test_an_unreadable_clip_is_named_and_the_others_are_made(prepared):
    _, done = prepared
    assert done.returncode == 4
    assert "broken.avi" in done.stderr


def test_what_is_done_is_kept(prepared, videos, capsys):
    out, _ = prepared
    before = {path: path.stat().st_mtime_ns for path in (out / "crops").rglob("*.jpg")}
    assert main(["data", "prepare", str(videos), "--output", str(out), "--workers", "1"]) == 4
    assert {path: path.stat().st_mtime_ns for path in (out / "crops").rglob("*.jpg")} == before


def test_another_recipe_needs_another_folder(prepared, videos, capsys):
    out, _ = prepared
    before = content(out)
    assert main(["data", "prepare", str(videos), "--output", str(out), "--margin", "0.4"]) == 2
    assert "--output" in capsys.readouterr().err
    assert content(out) == before


def test_everybody_is_cropped_into_folders_of_their_own(videos, tmp_path, capsys):
    arguments = [str(videos / "two.avi"), "--output", str(tmp_path / "out"), "--people", "all", "--workers", "1"]
    assert main(["data", "prepare", *arguments, "--size", "64", "--json"]) == 0
    (clip,) = json.loads(capsys.readouterr().out)["clips"]
    assert [person["clip"] for person in clip["people"]] == ["two/1", "two/2"]
    for number, skin in ((1, LIGHT), (2, DARK)):
        (crop,) = open_clip(tmp_path / f"out/crops/two/{number}").read([0])
        assert crop.shape == (64, 64, 3)
        assert np.abs(crop[36, 28].astype(int) - skin).max() < 40


def test_crops_of_synthetic_videos_are_synthetic(videos, tmp_path, capsys):
    (tmp_path / MARKER).write_text("{}")
    write_video(tmp_path / "in/a.avi", one_face(3))
    assert main(["data", "prepare", str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--workers", "1"]) == 0
    assert read_crops_file(tmp_path / "out/crops/crops.json").synthetic


@pytest.mark.parametrize("recipe", ["nobody", "haar --people some", "haar --margin 9", "haar --size 3"])
def test_a_mistake_is_explained_and_nothing_is_written(videos, tmp_path, capsys, recipe):
    out = tmp_path / "out"
    arguments = ["data", "prepare", str(videos), "--output", str(out), "--recipe", *recipe.split()]
    code: object
    try:
        code = main(arguments)
    except SystemExit as error:
        code = error.code
    assert code == 2
    assert capsys.readouterr().err
    assert not out.exists()


def test_two_clips_of_one_name_are_refused(tmp_path, capsys):
    for name in ("a.avi", "a.mkv"):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(b"x")
    assert main(["data", "prepare", str(tmp_path / "in"), "--output", str(tmp_path / "out")]) == 2
    assert "both be called a" in capsys.readouterr().err


def test_killed_at_every_kind_of_write_it_goes_on_to_the_same_bytes(tmp_path):
    write_video(tmp_path / "in/a.avi", one_face(3))
    write_video(tmp_path / "in/b.avi", one_face(3, hidden=(0, 1, 2)))

    def prepare(out: str, last: int) -> subprocess.CompletedProcess:
        command = [sys.executable, "-c", COUNTING, str(last), str(tmp_path / "in"), str(tmp_path / out)]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    undisturbed = prepare("undisturbed", 0)
    assert undisturbed.returncode == 0, undisturbed.stderr
    moments = random.Random(0).sample(range(1, int(undisturbed.stdout)), 3)
    for last in moments:
        # Each goes on from where the one before was killed, so that a kill during the repair is among them.
        assert prepare("killed", last).returncode in (0, -signal.SIGKILL)
    assert prepare("killed", 0).returncode == 0
    assert content(tmp_path / "killed") == content(tmp_path / "undisturbed")


@pytest.mark.slow
def test_two_hundred_videos_killed_at_random_moments_give_the_same_bytes(tmp_path):
    for number in range(200):
        start = (5.0 + number % 40, 10.0 + number % 30, 50.0)
        hidden = range(number % 7, number % 13)
        frames = [
            scene(*([] if k in hidden else [(place, LIGHT if number % 2 else DARK)]))
            for k, place in enumerate(walk(12, start, 1.0))
        ]
        write_video(tmp_path / f"in/{number // 50}/{number}.avi", frames)

    def start_in(out: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "benchmark", "data", "prepare", str(tmp_path / "in"), "--output"]
        return subprocess.Popen(
            [*command, str(tmp_path / out), "--workers", "2"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    began = time.monotonic()
    assert start_in("undisturbed").wait(600) == 0
    whole = time.monotonic() - began
    rng = random.Random(1)
    kills = 0
    while True:
        process = start_in("killed")
        try:
            code = process.wait(rng.uniform(0.05, 0.5) * whole if kills < 12 else 600)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
            continue
        assert code == 0
        break
    assert kills
    assert content(tmp_path / "killed") == content(tmp_path / "undisturbed")
