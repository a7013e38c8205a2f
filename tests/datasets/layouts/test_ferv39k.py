import subprocess
import sys

import pytest

from benchmark.datasets.counts import part_counts, unexpected
from benchmark.datasets.layouts.ferv39k import CLASSES, LAYOUT, find, read
from benchmark.errors import EnvironmentProblem, IntegrityError

TRAIN = ["Action/Happy/0015 Happy", "Crime/Sad/0001 Sad", "Action/Neutral/0002 Neutral", "Crime/Angry/0001 Angry"]
TEST = ["Action/Happy/0016 Happy", "Daily/Surprise/0001 Surprise", "Daily/Disgust/0001 Disgust", "Daily/Fear/0009 Fear"]
ALPHABETICAL = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


def write_lists(root, train=TRAIN, test=TEST):
    folder = root / "4_setups/All_scenes"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train_All.csv").write_text("\n".join(train) + "\n")
    (folder / "test_All.csv").write_text("\n".join(test) + "\n")
    return root


def full_size_list(part):
    number = iter(range(100_000 if part == "test" else 0, 200_000))
    counts = LAYOUT.expected[1][part]["per_class"]
    return [
        f"Scene{k % 22}/{name.capitalize()}/{next(number):06d} {name.capitalize()}"
        for name, count in counts.items()
        for k in range(count)
    ]


def test_a_clip_is_its_path_its_name_its_scene_and_its_part(tmp_path):
    clips = {clip.id: clip for clip in read(write_lists(tmp_path), votes=False)}
    assert len(clips) == 8
    assert list(clips) == sorted(clips)
    clip = clips["Action/Happy/0015"]
    assert (clip.label, clip.parts, clip.attributes) == ("happy", {1: "train"}, {"scene": "Action"})
    assert clip.votes is None
    assert clip.frames == {
        "faces": "2_ClipsforFaceCrop/Action/Happy/0015",
        "scenes": "3_ClipsforScenImages/Action/Happy/0015",
    }
    assert clips["Daily/Fear/0009"].parts == {1: "test"}
    assert {clip.label for clip in clips.values()} == set(CLASSES)


def test_a_header_less_list_keeps_its_first_clip(tmp_path):
    assert "Action/Happy/0015" in {clip.id for clip in read(write_lists(tmp_path), votes=False)}


@pytest.mark.parametrize("header", ["path label", "video_name,label", "0 1"])
def test_a_list_with_a_header_is_refused(tmp_path, header):
    write_lists(tmp_path, train=[header, *TRAIN])
    with pytest.raises(IntegrityError, match=r"train_All.csv: line 1: the list has a header"):
        read(tmp_path, votes=False)


@pytest.mark.parametrize("order", [ALPHABETICAL, CLASSES])
def test_an_index_list_is_refused_whatever_its_order(tmp_path, order):
    def indexed(lines):
        return [f"{line.split()[0]} {order.index(line.split()[1].lower())}" for line in lines]

    write_lists(tmp_path, indexed(TRAIN), indexed(TEST))
    with pytest.raises(IntegrityError, match=r"line 1: the label is the number .* use the official lists"):
        read(tmp_path, votes=False)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Action/Happy/0099 Sad", r"line 5: the label is Sad, but the clip is in the folder Happy"),
        ("Action/Happy/0099,Happy", r"line 5: expected a line like"),
        ("Action/Happy/0099", r"line 5: expected a line like"),
        ("Action/Happy/../0099 Happy", r"line 5: expected a line like"),
        ("../Happy/0099 Happy", r"line 5: expected a line like"),
        ("Action/Happy/0099 28 Happy", r"line 5: expected a line like"),
        ("Action/Hapy/0099 Hapy", r"line 5: 'Hapy' is not an emotion of this dataset; did you mean 'happy'"),
        ("Action/Happy/0015 Happy", r"line 5: clip Action/Happy/0015 is listed twice, it is already in train"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, message):
    write_lists(tmp_path, train=[*TRAIN, line])
    with pytest.raises(IntegrityError, match=message) as error:
        read(tmp_path, votes=False)
    assert "train_All.csv" in str(error.value)


def test_a_clip_in_both_lists_is_refused(tmp_path):
    write_lists(tmp_path, test=[*TEST, TRAIN[0]])
    with pytest.raises(IntegrityError, match=r"test_All.csv: line 5: clip .* it is already in train"):
        read(tmp_path, votes=False)


def test_a_list_that_is_not_utf_8_is_refused_with_its_line(tmp_path):
    write_lists(tmp_path)
    (tmp_path / "4_setups/All_scenes/test_All.csv").write_bytes(b"Action/Happy/0016 Happy\nCaf\xe9/Sad/0001 Sad\n")
    with pytest.raises(IntegrityError, match=r"test_All.csv: line 2: not UTF-8"):
        read(tmp_path, votes=False)


def test_windows_line_ends_a_byte_order_mark_and_blank_lines_do_no_harm(tmp_path):
    write_lists(tmp_path)
    path = tmp_path / "4_setups/All_scenes/train_All.csv"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join([*TRAIN, "", ""]).encode())
    assert len(read(tmp_path, votes=False)) == 8


def test_a_missing_list_is_named(tmp_path):
    write_lists(tmp_path)
    (tmp_path / "4_setups/All_scenes/test_All.csv").unlink()
    with pytest.raises(EnvironmentProblem, match="test_All.csv"):
        read(tmp_path, votes=False)


@pytest.mark.parametrize("name", ["FERV39k", "FERV39K"])
def test_the_root_is_found_at_or_in_the_data_root(tmp_path, name):
    root = write_lists(tmp_path / name)
    assert find(tmp_path) == find(root) == root
    assert find(tmp_path / "missing") is None


def test_full_size_lists_have_the_known_counts(tmp_path):
    write_lists(tmp_path, full_size_list("train"), full_size_list("test"))
    clips = read(tmp_path, votes=False)
    assert len(clips) == 31_088 + 7_847
    assert unexpected(LAYOUT, part_counts(clips, LAYOUT.classes)) == []


def test_one_line_lost_as_by_a_reader_that_expects_a_header_is_reported(tmp_path):
    write_lists(tmp_path, full_size_list("train")[1:], full_size_list("test"))
    problems = unexpected(LAYOUT, part_counts(read(tmp_path, votes=False), LAYOUT.classes))
    assert len(problems) == 2
    assert "clips is 31087, the official list has 31088" in problems[0]


def test_listing_layouts_loads_nothing_heavy():
    code = """
import sys
for heavy in ("numpy", "cv2", "torch", "openpyxl", "pyarrow"):
    sys.modules[heavy] = None
from benchmark.datasets.layouts import afew, caer, ferv39k, ferv39k_plus, mafw, mafw_compound, table
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr == ""
