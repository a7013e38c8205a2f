"""`benchmark predict` on whole scenes: it finds the faces, and judges no clip without any."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import benchmark
from benchmark.cli.main import main
from benchmark.faces.recipe import RECIPES
from benchmark.training.weights import Origin, write_weights
from tests.faces.drawing import DARK, LIGHT, intersection_over_union, scene, walk, write_video

CLASSES = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
FRAMES = 20


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return benchmark.build_model("tsm", "small")


@pytest.fixture(scope="module")
def weights(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tsm.safetensors"
    write_weights(path, model.state_dict(), Origin("tsm", "model", "small", CLASSES))
    return path


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """One person, one in the second half only, nobody, two people."""
    place = tmp_path_factory.mktemp("scenes")
    write_video(place / "one.avi", [scene((p, LIGHT)) for p in walk(FRAMES)])
    late = [scene(*([(p, LIGHT)] if k >= FRAMES // 2 else [])) for k, p in enumerate(walk(FRAMES))]
    write_video(place / "late.avi", late)
    write_video(place / "nobody.avi", [scene()] * FRAMES)
    write_video(place / "two.avi", [scene(((5, 20, 70), LIGHT), ((100, 30, 50), DARK))] * FRAMES)
    return place


@pytest.fixture
def predict(capsys, weights):
    def run(*arguments):
        code = main(["predict", "--method", "tsm", "--weights", str(weights), *map(str, arguments)])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def predict_json(predict):
    def run(*arguments):
        code, out, _ = predict(*arguments, "--json")
        return code, json.loads(out)

    return run


def test_a_video_is_seen_as_the_crops_that_would_be_prepared_of_it(predict_json, videos, tmp_path):
    benchmark.prepare([videos / "one.avi"], tmp_path / "out", workers=1)
    _, (cropped,) = predict_json(tmp_path / "out/crops/one")
    code, (seen,) = predict_json(videos / "one.avi")
    assert code == 0
    assert seen["probabilities"] == cropped["probabilities"]
    _, (squashed,) = predict_json(videos / "one.avi", "--crop", "none")
    assert seen["probabilities"] != squashed["probabilities"]


def test_it_says_in_how_many_frames_the_face_is_and_where(predict_json, videos):
    _, (seen,) = predict_json(videos / "late.avi")
    assert (seen["frames"], seen["frames_with_face"]) == (FRAMES, FRAMES // 2)
    assert [box["frame"] for box in seen["boxes"]] == list(range(FRAMES // 2, FRAMES))
    for box in seen["boxes"]:
        x, y, side = walk(FRAMES)[box["frame"]]
        assert intersection_over_union((box["x"], box["y"], box["width"], box["height"]), (x, y, side, side)) > 0.6


def test_a_clip_without_a_face_is_refused_and_the_others_are_answered(predict, videos):
    code, out, err = predict(videos / "nobody.avi", videos / "one.avi")
    assert code == 4
    assert "nobody.avi: a face in 0 of 20 frames" in err
    lines = {line.split()[0].rpartition("/")[2]: line for line in out.splitlines() if ".avi" in line}
    assert "no face" in lines["nobody.avi"]
    assert any(name in lines["one.avi"] for name in CLASSES)


def test_a_refusal_is_in_the_json_without_an_emotion(predict_json, videos):
    code, documents = predict_json(videos / "nobody.avi", videos / "one.avi")
    assert code == 4
    assert [(document["emotion"] is None, "probabilities" in document) for document in documents] == [
        (False, True),
        (True, False),
    ]


def test_each_of_two_people_gets_a_line(predict_json, videos):
    _, documents = predict_json(videos / "two.avi")
    assert [document["person"] for document in documents] == [1, 2]
    assert documents[0]["boxes"][0]["x"] < 50 < documents[1]["boxes"][0]["x"]
    assert documents[0]["probabilities"] != documents[1]["probabilities"]
    _, (central,) = predict_json(videos / "two.avi", "--people", "largest")
    assert central["probabilities"] == documents[0]["probabilities"]


def test_over_time_frames_are_those_of_the_video(predict_json, videos):
    _, (seen,) = predict_json(videos / "late.avi", "--timeline", "--window", "4", "--step", "2")
    spans = [(piece["first"], piece["last"]) for piece in seen["timeline"]]
    assert spans == [(10, 13), (12, 15), (14, 17), (16, 19)]


def test_a_frames_smoothed_emotion_is_that_of_the_mean_over_its_windows(predict_json, videos):
    _, (seen,) = predict_json(videos / "one.avi", "--timeline", "--window", "4", "--step", "2")
    sums, counts = np.zeros((FRAMES, len(CLASSES))), np.zeros((FRAMES, 1))
    for piece in seen["timeline"]:
        sums[piece["first"] : piece["last"] + 1] += list(piece["probabilities"].values())
        counts[piece["first"] : piece["last"] + 1] += 1
    emotions = [CLASSES[k] for k in (sums / counts).argmax(axis=1)]
    said = [run["emotion"] for run in seen["smoothed"] for _ in range(run["first"], run["last"] + 1)]
    assert said == emotions
    assert all(
        one["emotion"] != other["emotion"] for one, other in zip(seen["smoothed"], seen["smoothed"][1:], strict=False)
    )


def test_weights_from_crops_of_a_known_recipe_are_shown_crops_of_that_recipe(
    predict_json, model, videos, tmp_path, capsys
):
    wide = RECIPES["haar"].model_copy(update={"margin": 0.6})
    path = tmp_path / "wide.safetensors"
    write_weights(path, model.state_dict(), Origin("tsm", "model", "small", CLASSES, crops=wide.model_dump_json()))
    main(["predict", "--method", "tsm", "--weights", str(path), str(videos / "one.avi"), "--json"])
    out, err = capsys.readouterr()
    assert wide.model_copy(update={"people": "all"}).title in err
    benchmark.prepare([videos / "one.avi"], tmp_path / "out", recipe=wide, workers=1)
    _, (expected,) = predict_json(tmp_path / "out/crops/one")
    assert json.loads(out)[0]["probabilities"] == expected["probabilities"]
    # The same recipe, named by crops that were made with it.
    _, (named,) = predict_json(videos / "one.avi", "--crop", tmp_path / "out/crops/crops.json")
    assert named["probabilities"] == expected["probabilities"]


def test_a_folder_is_taken_as_it_is_unless_a_recipe_is_named(predict, predict_json, videos, tmp_path):
    benchmark.prepare([videos / "one.avi"], tmp_path / "out", workers=1)
    _, out, err = predict(tmp_path / "out/crops/one", "--json")
    assert "taken as cropped already" in err
    (plain,) = json.loads(out)
    assert "boxes" not in plain
    _, (cropped,) = predict_json(tmp_path / "out/crops/one", "--crop", "haar")
    assert cropped["frames_with_face"] == FRAMES
    assert cropped["probabilities"] != plain["probabilities"]


@pytest.mark.parametrize(("crop", "message"), [("mine", "no crop recipe 'mine'"), ("nowhere.json", "nowhere.json")])
def test_an_unknown_recipe_is_explained(predict, videos, crop, message):
    code, out, err = predict(videos / "one.avi", "--crop", crop)
    assert code in (2, 3)
    assert out == ""
    assert message in err
