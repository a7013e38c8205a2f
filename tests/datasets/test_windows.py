import pytest

from benchmark.datasets.windows import cut, most_frequent
from benchmark.protocol import Windows
from benchmark.specs import Clip


def video(numbers) -> Clip:
    return Clip("v", "happy", {}, {}, frame_labels={n: "happy" for n in numbers})


def test_windows_overlap_as_asked_and_the_last_ends_with_the_labels():
    windows = cut(video(range(1, 26)), Windows(length=10, overlap=4))
    assert [window.start for window in windows] == [1, 7, 13, 16]
    assert [window.id for window in windows][:2] == ["v/00001-00010", "v/00007-00016"]


@pytest.mark.parametrize("overlap", [0, 3, 9])
@pytest.mark.parametrize("numbers", [range(1, 8), range(5, 105), [1, 2, 60, 61, 200], [7]])
def test_every_labelled_frame_is_in_a_window_and_no_window_is_without_one(numbers, overlap):
    windows = cut(video(numbers), Windows(length=10, overlap=overlap))
    assert {n for window in windows for n in window.frames} == set(numbers)
    assert all(window.frames for window in windows)
    assert all(window.start <= n < window.start + window.length for window in windows for n in window.frames)
    assert len({window.id for window in windows}) == len(windows)


def test_a_windows_label_is_its_most_frequent_one():
    labels = {1: "sad", 2: "happy", 3: "happy", 4: "sad", 5: "fear"}
    assert most_frequent(labels, (1, 2, 3), ("sad", "happy", "fear")) == "happy"
    assert most_frequent(labels, (1, 2, 3, 4), ("sad", "happy", "fear")) == "sad"
