import pytest

from benchmark.datasets.layouts.ferplus import CLASSES, HEADER, find, read
from benchmark.errors import EnvironmentProblem, IntegrityError


def write(root, *rows):
    """Each row is (usage, image name, ten votes by position)."""
    lines = [HEADER, *([usage, name, *map(str, votes)] for usage, name, votes in rows)]
    root.mkdir(exist_ok=True)
    (root / "fer2013new.csv").write_text("".join(",".join(line) + "\n" for line in lines))


def votes(**counts):
    names = (*CLASSES, "unknown", "nf")
    return [counts.get(name, 0) for name in names]


HAPPY = votes(happy=8, neutral=2)


def ids(root):
    return [clip.id for clip in read(root, votes=False)]


def test_the_label_is_the_most_voted_emotion(tmp_path):
    write(tmp_path, *[("Training", f"fer000000{n}.png", votes(**{name: 10})) for n, name in enumerate(CLASSES)])
    clips = read(tmp_path, votes=False)
    assert [clip.label for clip in clips] == [
        "neutral",
        "happy",
        "surprise",
        "sad",
        "angry",
        "disgust",
        "fear",
        "contempt",
    ]


def test_usage_says_the_part_and_the_folder(tmp_path):
    write(
        tmp_path,
        ("Training", "fer0000000.png", HAPPY),
        ("PublicTest", "fer0000001.png", HAPPY),
        ("PrivateTest", "fer0000002.png", HAPPY),
    )
    clips = read(tmp_path, votes=False)
    assert [clip.id for clip in clips] == ["fer0000000", "fer0000001", "fer0000002"]
    assert [clip.parts for clip in clips] == [{1: "train"}, {1: "val"}, {1: "test"}]
    assert [clip.frames["images"] for clip in clips] == [
        "data/FER2013Train/fer0000000.png",
        "data/FER2013Valid/fer0000001.png",
        "data/FER2013Test/fer0000002.png",
    ]


def test_votes_are_those_for_emotions_and_only_when_asked_for(tmp_path):
    write(tmp_path, ("Training", "fer0000000.png", votes(happy=6, sad=1, unknown=2, nf=1)))
    assert read(tmp_path, votes=False)[0].votes is None
    assert read(tmp_path, votes=True)[0].votes == {**dict.fromkeys(CLASSES, 0.0), "happy": 6.0, "sad": 1.0}


@pytest.mark.parametrize(
    "row",
    [
        votes(unknown=6, happy=4),
        votes(nf=6, happy=4),
        votes(happy=5, sad=5),
        votes(happy=4, unknown=4, sad=2),
        votes(unknown=5, nf=5),
    ],
)
def test_an_image_without_a_single_most_voted_emotion_is_left_out(tmp_path, row):
    write(tmp_path, ("Training", "fer0000000.png", row), ("Training", "fer0000001.png", HAPPY))
    assert ids(tmp_path) == ["fer0000001"]


def test_an_image_without_a_name_is_left_out(tmp_path):
    write(tmp_path, ("Training", "", votes(nf=10)), ("Training", "fer0000001.png", HAPPY))
    assert ids(tmp_path) == ["fer0000001"]


def test_a_row_with_fewer_than_ten_votes_is_kept(tmp_path):
    write(tmp_path, ("Training", "fer0000000.png", votes(happy=7, sad=1)))
    assert ids(tmp_path) == ["fer0000000"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (votes(), "0 votes, expected 1..10"),
        (votes(happy=11), "11 votes, expected 1..10"),
        (votes(happy=-1), "not all whole numbers"),
        (votes(happy="0.5"), "not all whole numbers"),
        (votes(happy="many"), "not all whole numbers"),
        (HAPPY[:-1], "11 cells, the header has 12"),
    ],
)
def test_a_wrong_row_is_named_with_its_line(tmp_path, row, message):
    write(tmp_path, ("Training", "fer0000000.png", HAPPY), ("Training", "fer0000001.png", row))
    with pytest.raises(IntegrityError, match=f"fer2013new.csv: line 3: .*{message}"):
        read(tmp_path, votes=False)


@pytest.mark.parametrize(
    ("usage", "name", "message"),
    [
        ("Test", "fer0000001.png", "Usage is 'Test'"),
        ("Training", "../fer0000001.png", "expected an image name"),
        ("Training", "fer0000001", "expected an image name"),
        ("PublicTest", "fer0000000.png", "listed twice"),
    ],
)
def test_a_wrong_usage_or_name_is_named_with_its_line(tmp_path, usage, name, message):
    write(tmp_path, ("Training", "fer0000000.png", HAPPY), (usage, name, HAPPY))
    with pytest.raises(IntegrityError, match=f"line 3: .*{message}"):
        read(tmp_path, votes=False)


def test_columns_in_another_order_are_refused(tmp_path):
    write(tmp_path, ("Training", "fer0000000.png", HAPPY))
    path = tmp_path / "fer2013new.csv"
    path.write_text(path.read_text().replace("neutral,happiness", "happiness,neutral"))
    with pytest.raises(IntegrityError, match="line 1: expected the header 'Usage,Image name,neutral,happiness"):
        read(tmp_path, votes=False)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(EnvironmentProblem, match="fer2013new.csv"):
        read(tmp_path, votes=False)


@pytest.mark.parametrize("name", ["FERPlus", "FER+"])
def test_the_root_is_found_above_or_at_the_dataset(tmp_path, name):
    assert find(tmp_path) is None
    write(tmp_path / name, ("Training", "fer0000000.png", HAPPY))
    assert find(tmp_path) == tmp_path / name
    assert find(tmp_path / name) == tmp_path / name
