import numpy as np
import pytest
from sklearn.metrics import f1_score

from benchmark.datasets.windows import cut
from benchmark.protocol import Windows
from benchmark.scoring.frames import to_frames
from benchmark.scoring.metrics import confusion_matrix, macro_f1
from benchmark.specs import Clip


def test_a_frame_has_the_mean_of_the_windows_that_hold_it():
    rows = np.array([[1, 0], [0, 1], [0.5, 0.5]], np.float32)
    frames = {"v/00001-00002": [1, 2], "v/00002-00003": [2, 3], "w/00001-00002": [2]}
    result = to_frames(dict(zip(frames, rows, strict=True)), frames)
    assert result.ids == ("v/00001", "v/00002", "v/00003", "w/00002")
    assert result.probabilities.tolist() == [[1, 0], [0.5, 0.5], [0, 1], [0.5, 0.5]]


def test_frames_that_are_predicted_one_by_one_keep_their_own_scores():
    frames = {"v/00001-00003": [1, 3], "v/00003-00005": [3]}
    windows = {"v/00001-00003": np.array([[1, 0], [0.5, 0.5]]), "v/00003-00005": np.array([[0, 1]])}
    assert to_frames(windows, frames).probabilities.tolist() == [[1, 0], [0.25, 0.75]]


def test_frame_wise_macro_f1_is_scikit_learns_over_labelled_frames():
    rng = np.random.default_rng(0)
    classes = ("a", "b", "c")
    numbers = np.flatnonzero(rng.random(300) > 0.2) + 1
    clip = Clip("v", "a", {}, {}, frame_labels={int(n): classes[rng.integers(3)] for n in numbers})
    windows = cut(clip, Windows(length=20, overlap=12))
    by_window = rng.dirichlet(np.ones(3), len(windows)).astype(np.float32)
    frames = {window.id: window.frames for window in windows}
    result = to_frames(dict(zip(frames, by_window, strict=True)), frames)

    # The same, frame by frame, without any of the code under test.
    guesses = [
        int(
            np.mean(
                [p for p, w in zip(by_window, windows, strict=True) if w.start <= n < w.start + 20], axis=0
            ).argmax()
        )
        for n in numbers
    ]
    true = [classes.index(clip.frame_labels[int(n)]) for n in numbers]
    assert len(result.ids) == len(set(result.ids)) == len(numbers)
    ours = macro_f1(confusion_matrix(true, result.predicted, 3))
    assert ours == pytest.approx(f1_score(true, guesses, average="macro"))
