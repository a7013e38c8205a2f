"""RAVDESS: the documented 7,356 files, and copies of it as people have them."""

import re
from collections import Counter
from itertools import product
from pathlib import Path

import pytest

from benchmark.datasets.check import check_dataset
from benchmark.datasets.counts import part_counts, unexpected
from benchmark.datasets.layouts import ravdess, ravdess_song
from benchmark.datasets.layouts.ravdess import find, read
from benchmark.datasets.splits import SPLITS, hash_ids, make_folds
from benchmark.errors import EnvironmentProblem
from benchmark.protocol import load_protocol
from benchmark.protocol.facts import known_facts
from benchmark.registry import registry

MODALITIES = {"01": "mp4", "02": "mp4", "03": "wav"}


def takes(channel: str) -> list[str]:
    """As the dataset's page describes them: no strong neutral, no sung disgust or surprise."""
    emotions = range(1, 9 if channel == "01" else 7)
    return [
        f"{channel}-{emotion:02d}-{intensity:02d}-{statement:02d}-{repetition:02d}"
        for emotion, intensity, statement, repetition in product(emotions, (1, 2), (1, 2), (1, 2))
        if (emotion, intensity) != (1, 2)
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """Every file of RAVDESS, empty, all archives unpacked into one folder."""
    root = tmp_path_factory.mktemp("data") / "RAVDESS"
    for actor in range(1, 25):
        folder = root / f"Actor_{actor:02d}"
        folder.mkdir(parents=True)
        for channel in ("01", "02") if actor != 18 else ("01",):
            for take, (modality, suffix) in product(takes(channel), MODALITIES.items()):
                (folder / f"{modality}-{take}-{actor:02d}.{suffix}").touch()
    return root


def write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_the_whole_of_it_has_the_documented_number_of_files(whole):
    assert sum(1 for path in whole.rglob("*") if path.is_file()) == 7356
    assert [len(read(whole, votes=False)), len(ravdess_song.read(whole, votes=False))] == [1440, 1012]


@pytest.mark.parametrize(("layout", "neutral", "other"), [(ravdess, 96, 192), (ravdess_song, 92, 184)])
def test_it_has_the_expected_counts(whole, layout, neutral, other):
    clips = layout.read(whole, votes=False)
    counts = part_counts(clips, layout.LAYOUT.classes)
    assert unexpected(layout.LAYOUT, counts) == []
    assert counts[1]["all"]["per_class"] == dict.fromkeys(layout.LAYOUT.classes, other) | {"neutral": neutral}


@pytest.mark.parametrize(("layout", "name"), [(ravdess, "ravdess-speech-5fold"), (ravdess_song, "ravdess-song-5fold")])
def test_its_folds_are_those_that_are_known(whole, layout, name):
    protocol = load_protocol(registry().protocols[name])
    facts = known_facts(protocol)
    for fold in make_folds(layout.read(whole, votes=False), protocol):
        assert {split: hash_ids(clip.id for clip in fold.split(split)) for split in SPLITS} == {
            split: facts[fold.number][split].sha256 for split in SPLITS
        }


def test_a_take_is_one_clip_however_many_files_it_has(whole):
    clips = {clip.id: clip for clip in read(whole, votes=False)}
    assert len(clips) == 1440
    clip = clips["02-01-06-02-01-02-12"]
    assert clip.label == "fear"
    assert clip.frames == {
        "faces": "faces/crops/02-01-06-02-01-02-12",
        "videos": "Actor_12/01-01-06-02-01-02-12.mp4",
        "silent-videos": "Actor_12/02-01-06-02-01-02-12.mp4",
    }
    assert clip.attributes == {
        "subject": "12",
        "sex": "female",
        "statement": "kids are talking by the door",
        "intensity": "strong",
        "repetition": "2",
    }


def test_there_are_as_many_women_as_men(whole):
    people = {clip.attributes["subject"]: clip.attributes["sex"] for clip in read(whole, votes=False)}
    assert Counter(people.values()) == {"male": 12, "female": 12}


def test_a_missing_actor_is_named_by_the_counts(whole):
    clips = [clip for clip in read(whole, votes=False) if clip.attributes["subject"] != "07"]
    problems = unexpected(ravdess.LAYOUT, part_counts(clips, ravdess.CLASSES))
    assert "fold 1, all: subject 07 is 0, the official list has 60" in problems
    assert not any("subject 08" in problem for problem in problems)


def test_archives_may_be_unpacked_into_folders_of_their_own(tmp_path):
    name = "02-01-03-01-01-01-05.mp4"
    write(tmp_path, f"Video_Speech_Actor_05/Actor_05/{name}", f"speech/Actor_06/{name[:-6]}06.mp4")
    assert [clip.frames["silent-videos"] for clip in read(tmp_path, votes=False)] == [
        f"Video_Speech_Actor_05/Actor_05/{name}",
        f"speech/Actor_06/{name[:-6]}06.mp4",
    ]


def test_a_copy_that_is_missing_is_looked_for_beside_the_other(tmp_path):
    write(tmp_path, "Video_Speech_Actor_05/Actor_05/01-01-03-01-01-01-05.mp4")
    (clip,) = read(tmp_path, votes=False)
    assert clip.id == "02-01-03-01-01-01-05"
    assert clip.frames["silent-videos"] == "Video_Speech_Actor_05/Actor_05/02-01-03-01-01-01-05.mp4"


def test_what_systems_leave_behind_is_no_video(tmp_path):
    write(tmp_path, "Actor_05/02-01-03-01-01-01-05.mp4", "Actor_05/._02-01-03-01-01-01-05.mp4", "Actor_05/.DS_Store")
    assert len(read(tmp_path, votes=False)) == 1


def test_speech_alone_has_no_songs(tmp_path):
    write(tmp_path, "Actor_05/02-01-03-01-01-01-05.mp4")
    with pytest.raises(EnvironmentProblem, match=r"no video in .*unpack Video_Song_Actor_01\.zip"):
        ravdess_song.read(tmp_path, votes=False)


def check(root: Path) -> tuple[int, str]:
    """The exit code of `data check`, and what it names."""
    report = check_dataset(ravdess.LAYOUT, root, None, 1, lambda done, total: None)
    return report.exit_code, " ".join(problem.message for problem in report.problems)


def test_archives_that_are_still_packed_are_missing_data(tmp_path):
    write(tmp_path, "Actor_05/02-01-03-01-01-01-05.mp4", *(f"Video_Speech_Actor_{n:02d}.zip" for n in (5, 6)))
    assert check(tmp_path)[0] == 3
    assert f"{tmp_path}/Video_Speech_Actor_06.zip is not unpacked" in check(tmp_path)[1]
    write(tmp_path, "Video_Speech_Actor_07.zip", "Video_Speech_Actor_08.zip", "Video_Song_Actor_01.zip")
    assert "Video_Speech_Actor_06.zip and 2 more are not unpacked" in check(tmp_path)[1]


def test_sound_alone_is_missing_data(tmp_path):
    write(tmp_path, "Actor_05/03-01-03-01-01-01-05.wav", "Actor_05/03-01-04-01-01-01-05.wav")
    code, named = check(tmp_path)
    assert code == 3
    assert re.search(r"only 2 files with sound alone \(\.wav\) in .*unpack Video_Speech_Actor_01\.zip", named)


def test_the_root_is_found_at_or_in_the_data_root(whole):
    assert find(whole) == find(whole.parent) == ravdess_song.find(whole.parent) == whole
    assert find(whole / "missing") is None
    (whole.parent / "ravdess-song").mkdir()
    assert ravdess_song.find(whole.parent) == whole.parent / "ravdess-song"
    assert find(whole.parent) == whole
