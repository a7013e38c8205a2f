"""CREMA-D: real lines of its lists and votes (one actor's), and what is wrong with copies of them."""

import csv
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmark.datasets.layouts.crema_d import CLASSES, CLIPS, LAYOUT, LEFT_OUT, VOTES, find, read
from benchmark.datasets.votes import share_for_label
from benchmark.errors import EnvironmentProblem, IntegrityError
from benchmark.scoring.annotators import ceiling_of

REAL = Path(__file__).parents[2] / "data" / "crema_d"
COLUMNS = {"A": "angry", "D": "disgust", "F": "fear", "H": "happy", "N": "neutral", "S": "sad"}


@pytest.fixture
def root(tmp_path) -> Path:
    return shutil.copytree(REAL, tmp_path / "CREMA-D")


def lines(shown: int) -> dict[str, list[int]]:
    """The real counts by clip, of those who heard (1) or saw (2) it, read without the layout."""
    with (REAL / VOTES).open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row[""].startswith(str(shown))]
    return {row["fileName"]: [int(row[column]) for column in COLUMNS] for row in rows}


def test_an_actors_real_lines_become_clips(root):
    clips = {clip.id: clip for clip in read(root, votes=False)}
    assert len(clips) == 82
    assert Counter(clip.label for clip in clips.values()) == dict.fromkeys(CLASSES, 14) | {"neutral": 12}
    clip = clips["1001_IEO_HAP_LO"]
    assert (clip.label, clip.votes) == ("happy", None)
    assert clip.frames == {"faces": "faces/crops/1001_IEO_HAP_LO", "videos": "VideoFlash/1001_IEO_HAP_LO.flv"}
    assert clip.attributes == {
        "subject": "1001",
        "sex": "male",
        "age": "50-59",
        "race": "Caucasian",
        "ethnicity": "Not Hispanic",
        "sentence": "IEO",
        "intensity": "low",
    }


def test_votes_are_those_of_the_people_who_saw_the_face_alone(root):
    clips = read(root, votes=True)
    seen, heard = lines(2), lines(1)
    assert {clip.id: [clip.votes[name] for name in COLUMNS.values()] for clip in clips} == seen
    assert seen != heard


def test_the_recognition_of_the_intended_emotion_follows_from_the_votes(root):
    """447 of 808 ratings by this actor's face; the paper has 58.2 % over all actors, and 40.9 % by the voice."""
    right = sum(counts[list(COLUMNS.values()).index(label(name))] for name, counts in lines(2).items())
    assert (right, sum(map(sum, lines(2).values()))) == (447, 808)
    assert share_for_label(read(root, votes=True)) == pytest.approx(447 / 808)
    assert share_for_label(read(root, votes=False)) == 0


def label(name: str) -> str:
    return {"ANG": "angry", "DIS": "disgust", "FEA": "fear", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}[name[9:12]]


def test_the_annotators_row_of_real_votes_is_that_of_leaving_out_one_after_the_other(root):
    agreement = np.zeros((6, 6))
    for counts in lines(2).values():
        people = [emotion for emotion, count in enumerate(counts) for _ in range(count)]
        for number, own in enumerate(people):
            others = Counter(people[:number] + people[number + 1 :])
            most = [emotion for emotion in others if others[emotion] == max(others.values())]
            for emotion in most:
                agreement[emotion, own] += 1 / len(most) / len(people)
    votes = np.array([[clip.votes[name] for name in CLASSES] for clip in read(root, votes=True)])
    ceiling = ceiling_of(votes)
    assert ceiling.clips == 82
    assert ceiling.war == pytest.approx(np.trace(agreement) / 82)
    assert ceiling.recall == pytest.approx(np.diag(agreement) / agreement.sum(axis=1))
    shares = votes / votes.sum(axis=1, keepdims=True)
    entropies = [-sum(p * np.log(p) for p in row if p) for row in shares]
    assert ceiling.cross_entropy == pytest.approx(np.mean(entropies))


def add_lines(root: Path, name: str) -> None:
    """One more clip in the list, seen by two people."""
    number = len((root / CLIPS).read_text().splitlines())
    with (root / CLIPS).open("a") as file:
        file.write(f'{number},"{name}"\n')
    with (root / VOTES).open("a") as file:
        file.write(f'"{200_000 + number}",0,0,0,0,0,2,"{name}",2\n')


def test_clips_whose_videos_are_wrong_at_the_source_are_left_out(root):
    for name in LEFT_OUT:
        add_lines(root, name)
    assert not {clip.id for clip in read(root, votes=True)} & set(LEFT_OUT)


def test_what_is_known_adds_up():
    facts = LAYOUT.expected[1]["all"]
    # 1,271 clips of each emotion but 1,087 neutral ones are 7,442.
    assert sum(facts["per_class"].values()) == facts["clips"] == 7442 - len(LEFT_OUT) == 5 * 1271 + 1087 - 4


def test_a_clip_of_an_unknown_actor_is_refused(root):
    add_lines(root, "1002_IEO_SAD_LO")
    with pytest.raises(IntegrityError, match=r"VideoDemographics\.csv: actor 1002 of the clip 1002_IEO_SAD_LO"):
        read(root, votes=False)


@pytest.mark.parametrize("path", [CLIPS, "VideoDemographics.csv", VOTES])
def test_a_missing_list_is_named(root, path):
    (root / path).unlink()
    with pytest.raises(EnvironmentProblem, match=f"crema-d: list missing: .*{path}"):
        read(root, votes=True)
    if path == VOTES:
        assert read(root, votes=False)


def test_a_missing_column_is_named(root):
    (root / VOTES).write_text((root / VOTES).read_text().replace('"fileName"', '"file"'))
    with pytest.raises(IntegrityError, match="line 1: expected one column each for fileName"):
        read(root, votes=True)


def test_the_root_is_found_at_or_in_the_data_root(root):
    assert find(root) == find(root.parent) == root
    mirror = root.rename(root.parent / "crema-d-mirror")
    assert find(root.parent) == mirror
