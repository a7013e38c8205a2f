import numpy as np
import pytest

from benchmark.datasets.layouts.affectnet import CLASSES, COLUMNS, find, read
from benchmark.errors import EnvironmentProblem, IntegrityError

ORDER = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt")


def row(path, expression):
    return f"{path},1,2,30,40,1.5;2.5;3.5;4.5,{expression},0.1,-0.2"


def write_tables(root, train=None, val=None, val_header=False):
    """The form of 2017, as the authors ship it: only training.csv has a header."""
    train = [row(f"1/{n}.jpg", n) for n in range(11)] if train is None else train
    val = [row("2/a.jpg", 3), row("2/b.png", 0)] if val is None else val
    folder = root / "Manually_Annotated_file_lists"
    folder.mkdir(parents=True, exist_ok=True)
    header = ",".join(COLUMNS)
    (folder / "training.csv").write_text("".join(f"{line}\n" for line in [header, *train]))
    (folder / "validation.csv").write_text("".join(f"{line}\n" for line in [header] * val_header + val))
    return root


def write_files(root, train=None, val=None):
    """The form of 2021: one file per image."""
    given = {"train": train or {str(n): n for n in range(8)}, "val": val or {"0": 6}}
    for part, expressions in given.items():
        folder = root / f"{part}_set/annotations"
        folder.mkdir(parents=True)
        for name, expression in expressions.items():
            np.save(folder / f"{name}_exp.npy", expression)
            np.save(folder / f"{name}_val.npy", 0.5)
    return root


def test_numbers_become_names_in_the_official_order(tmp_path):
    assert CLASSES == ORDER
    labels = {clip.id: clip.label for clip in read(write_tables(tmp_path), votes=False)}
    assert [labels[f"1/{n}"] for n in range(8)] == list(ORDER)


def test_images_without_one_of_the_emotions_are_left_out(tmp_path):
    ids = [clip.id for clip in read(write_tables(tmp_path), votes=False)]
    assert ids == [*(f"1/{n}" for n in range(8)), "2/a", "2/b"]


def test_a_table_gives_part_and_image(tmp_path):
    clips = read(write_tables(tmp_path), votes=False)
    assert (clips[0].id, clips[0].parts) == ("1/0", {1: "train"})
    assert (clips[-1].id, clips[-1].parts) == ("2/b", {1: "val"})
    assert clips[-1].frames == {"images": "Manually_Annotated_Images/2/b.png"}


@pytest.mark.parametrize("val_header", [False, True])
def test_a_table_keeps_its_first_image_with_and_without_header(tmp_path, val_header):
    clips = read(write_tables(tmp_path, val_header=val_header), votes=False)
    assert [clip.id for clip in clips if clip.parts == {1: "val"}] == ["2/a", "2/b"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (row("2/c.jpg", 11), "expression '11' is none of 0..10"),
        (row("2/c.jpg", -1), "expression '-1' is none of 0..10"),
        (row("2/c.jpg", "Happy"), "expression 'Happy' is none of 0..10"),
        ("2/c.jpg,3", "2 cells, expected 9"),
        (row("../c.jpg", 3), "expected the path of an image"),
        (row("/c.jpg", 3), "expected the path of an image"),
        (row("", 3), "expected the path of an image"),
        (row("2/a.png", 3), "clip 2/a is listed twice"),
        (row("1/1.jpg", 1), "clip 1/1 is listed twice, it is already in train"),
    ],
)
def test_a_wrong_row_is_named_with_its_line(tmp_path, line, message):
    write_tables(tmp_path, val=[row("2/a.jpg", 3), line])
    with pytest.raises(IntegrityError, match=f"validation.csv: line 2: {message}"):
        read(tmp_path, votes=False)


def test_a_header_with_other_columns_is_refused(tmp_path):
    write_tables(tmp_path, val=[",".join(reversed(COLUMNS)), row("2/a.jpg", 3)])
    with pytest.raises(IntegrityError, match="validation.csv: line 1: expected the header"):
        read(tmp_path, votes=False)


def test_a_table_that_is_no_text_is_refused(tmp_path):
    path = write_tables(tmp_path) / "Manually_Annotated_file_lists/validation.csv"
    path.write_bytes(b"2/a.jpg\xff\n")
    with pytest.raises(IntegrityError, match="validation.csv: .* not a CSV file in UTF-8"):
        read(tmp_path, votes=False)


@pytest.mark.parametrize("name", ["training.csv", "validation.csv"])
def test_a_missing_table_is_named(tmp_path, name):
    (write_tables(tmp_path) / "Manually_Annotated_file_lists" / name).unlink()
    with pytest.raises(EnvironmentProblem, match=name):
        read(tmp_path, votes=False)


def test_one_file_per_image_is_read_too(tmp_path):
    clips = read(write_files(tmp_path), votes=False)
    assert [clip.label for clip in clips] == [*ORDER, "angry"]
    assert (clips[0].id, clips[0].parts) == ("train/0", {1: "train"})
    assert (clips[-1].id, clips[-1].parts) == ("val/0", {1: "val"})
    assert clips[-1].frames == {"images": "val_set/images/0.jpg"}


@pytest.mark.parametrize("value", ["1", np.array("1"), np.array(["1"]), np.int64(1), np.array([[1]])])
def test_a_file_may_hold_its_number_as_text_or_in_an_array(tmp_path, value):
    clips = read(write_files(tmp_path, train={"7": value}), votes=False)
    assert clips[0].label == "happy"


def test_a_file_with_none_of_the_emotions_is_left_out(tmp_path):
    clips = read(write_files(tmp_path, train={"1": 8, "2": 9, "3": 10, "4": 0}), votes=False)
    assert [clip.id for clip in clips] == ["train/4", "val/0"]


@pytest.mark.parametrize("value", [11, -1, 1.5, "sad"])
def test_a_file_with_another_number_is_named(tmp_path, value):
    write_files(tmp_path, train={"7": value})
    with pytest.raises(IntegrityError, match=r"7_exp\.npy: expression '.*' is none of 0\.\.10"):
        read(tmp_path, votes=False)


@pytest.mark.parametrize("content", [b"", b"1", b"PK\x03\x04zip", b"\x93NUMPY\x01\x00"])
def test_a_file_that_is_no_array_is_named(tmp_path, content):
    (write_files(tmp_path) / "train_set/annotations/3_exp.npy").write_bytes(content)
    with pytest.raises(IntegrityError, match=r"3_exp\.npy: not a NumPy file"):
        read(tmp_path, votes=False)


@pytest.mark.parametrize("value", [np.array([1, 2]), np.array({"expression": 1}, dtype=object)])
def test_several_numbers_or_a_pickle_are_refused(tmp_path, value):
    write_files(tmp_path, train={"3": value})
    with pytest.raises(IntegrityError, match=r"3_exp\.npy: not a NumPy file with one number"):
        read(tmp_path, votes=False)


def test_a_missing_validation_set_is_named(tmp_path):
    for path in (write_files(tmp_path) / "val_set/annotations").iterdir():
        path.unlink()
    with pytest.raises(EnvironmentProblem, match="val_set/annotations"):
        read(tmp_path, votes=False)


@pytest.mark.parametrize("write", [write_tables, write_files])
@pytest.mark.parametrize("name", ["AffectNet", "affectnet-8"])
def test_either_form_is_found_above_or_at_the_dataset(tmp_path, write, name):
    assert find(tmp_path) is None
    write(tmp_path / name)
    assert find(tmp_path) == tmp_path / name
    assert find(tmp_path / name) == tmp_path / name


def test_both_forms_in_one_folder_are_refused(tmp_path):
    write_tables(tmp_path)
    write_files(tmp_path)
    for ask in (find, lambda root: read(root, votes=False)):
        with pytest.raises(IntegrityError, match="two forms"):
            ask(tmp_path)


def test_both_forms_in_one_data_root_are_refused(tmp_path):
    write_tables(tmp_path / "AffectNet")
    write_files(tmp_path / "AffectNet-8")
    with pytest.raises(IntegrityError, match="move one of them out"):
        find(tmp_path)
