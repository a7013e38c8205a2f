"""`benchmark predict`: probabilities of any clip, whole and over time, under weights of any origin."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import torch

import benchmark
from benchmark.cli.main import main
from benchmark.training.weights import Origin, write_weights
from benchmark.video.frames import open_clip
from benchmark.video.sampling import sample_frames

CLASSES = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")


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
def video(tmp_path_factory):
    """100 frames of 48x48, each brighter than the one before."""
    path = tmp_path_factory.mktemp("videos") / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (48, 48))
    for number in range(100):
        writer.write(np.full((48, 48, 3), 2 * number, np.uint8))
    writer.release()
    return path


def predict(capsys, *arguments) -> tuple[int, str, str]:
    # What is drawn here has no face; `test_predict_faces.py` has some.
    code = main(["predict", "--method", "tsm", "--crop", "none", *map(str, arguments)])
    return code, *capsys.readouterr()


def test_probabilities_are_those_of_the_frames_that_testing_takes(model, weights, video, capsys):
    code, out, _ = predict(capsys, "--weights", weights, video, "--json")
    (result,) = json.loads(out)
    assert code == 0
    assert result["clip"] == str(video)
    preset = benchmark.registry.registry().methods["tsm"].presets["small"]
    frames = open_clip(video).read(sample_frames(100, preset.sampling, None))
    # The preset decodes to 40x40, scales to 37 and takes the middle 32: a frame of one colour stays of one colour.
    clip = torch.stack([torch.from_numpy(frame[:32, :32].copy()).permute(2, 0, 1).float() for frame in frames])
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (preset.mean, preset.std))
    expected = benchmark.logits(model, ((clip - mean) / std)[None]).softmax(dim=1)[0]
    assert list(result["probabilities"].values()) == pytest.approx(expected.tolist(), abs=2e-3)
    assert result["emotion"] == CLASSES[int(expected.argmax())]


def test_a_timeline_covers_the_clip_in_windows(weights, video, capsys):
    _, out, _ = predict(capsys, "--weights", weights, video, "--json", "--timeline", "--window", "40", "--step", "25")
    (result,) = json.loads(out)
    assert [(piece["first"], piece["last"]) for piece in result["timeline"]] == [(0, 39), (25, 64), (50, 89), (60, 99)]
    first, *_, last = (list(piece["probabilities"].values()) for piece in result["timeline"])
    assert first != last


def test_folders_and_patterns_name_every_clip_in_them(weights, synthetic_root, video, capsys):
    clips = sorted((synthetic_root / "Clip" / "clip_224x224_16f").iterdir())[:3]
    _, out, _ = predict(capsys, "--weights", weights, *clips, f"{video.parent}/*.avi", "--json")
    assert [result["clip"] for result in json.loads(out)] == [*map(str, clips), str(video)]


def test_the_table_has_a_column_for_each_class(weights, video, capsys):
    _, out, _ = predict(capsys, "--weights", weights, video)
    assert all(name in out.splitlines()[0] for name in CLASSES)
    assert str(video) in out


def test_what_can_be_read_is_predicted_whatever_is_wrong_with_the_rest(weights, video, tmp_path, capsys):
    broken = tmp_path / "broken.avi"
    broken.write_bytes(b"no video")
    code, out, err = predict(capsys, "--weights", weights, broken, video, "--json")
    assert code == 4
    assert [result["clip"] for result in json.loads(out)] == [str(video)]
    assert str(broken) in err


def test_weights_without_a_class_order_need_one(model, video, tmp_path, capsys):
    bare = tmp_path / "bare.pth"
    torch.save(model.state_dict(), bare)
    code, _, err = predict(capsys, "--weights", bare, "--preset", "small", video)
    assert code == 2
    assert "--classes" in err
    code, out, _ = predict(capsys, "--weights", bare, "--preset", "small", "--classes", ",".join(CLASSES), video)
    assert code == 0
    assert "happy" in out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("nowhere.mp4",), 3, "no such video"),
        (("{weights}",), 2, "not a video"),
        (("--preset", "big", "{video}"), 2, "no preset 'big'"),
        (("--weights", "landmark={weights}", "{video}"), 2, "network"),
    ],
)
def test_a_mistake_is_explained(weights, video, tmp_path, monkeypatch, capsys, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    given = [argument.format(weights=weights, video=video) for argument in arguments]
    found, out, err = predict(capsys, "--weights", weights, *given)
    assert (found, out) == (code, "")
    assert message in err


def test_frames_are_sampled_as_on_the_dataset_that_the_weights_learned_from(video, tmp_path, capsys, monkeypatch):
    import dataclasses

    from benchmark.specs import Sampling

    spec = benchmark.registry.registry().methods["tsm"]
    small = dataclasses.replace(spec.presets["small"], datasets={"ferv39k": {"sampling": Sampling(clips=1, length=8)}})
    monkeypatch.setitem(
        benchmark.registry.registry().methods,
        "tsm",
        dataclasses.replace(spec, presets={**spec.presets, "small": small}),
    )
    torch.manual_seed(0)
    state = benchmark.build_model("tsm", "small").state_dict()
    for name, dataset in (("plain", ""), ("ferv39k", "ferv39k")):
        write_weights(
            tmp_path / f"{name}.safetensors", state, Origin("tsm", "model", "small", CLASSES, dataset=dataset)
        )

    def of(name, *extra):
        _, out, _ = predict(capsys, "--weights", tmp_path / f"{name}.safetensors", video, "--json", *extra)
        return json.loads(out)[0]["probabilities"]

    assert of("ferv39k") == of("plain", "--dataset", "ferv39k") != of("plain")


# Drawing.


def test_a_timeline_is_drawn_and_written_as_a_video_of_every_frame(weights, video, tmp_path, capsys):
    drawn = ["--plot", tmp_path / "plots", "--video", tmp_path / "out.mp4"]
    code, out, err = predict(capsys, "--weights", weights, video, "--crop", "none", "--window", 40, *drawn, "--json")
    assert code == 0
    assert len(json.loads(out)[0]["timeline"]) == 4  # 0-39, 20-59, 40-79, 60-99
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == ["clip.png", "clip.svg"]
    assert str(tmp_path / "out.mp4") in err
    assert open_clip(tmp_path / "out.mp4").count == 100
    assert "0.3 s" in (tmp_path / "plots/clip.svg").read_text(encoding="utf-8")  # frame 8 of 25 in a second


def test_clips_of_the_same_name_get_files_of_their_own(weights, video, tmp_path, capsys):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "clip.avi").write_bytes(video.read_bytes())
    code, _, _ = predict(
        capsys, "--weights", weights, tmp_path / "a", tmp_path / "b", "--crop", "none", "--plot", tmp_path / "plots"
    )
    assert code == 0 and len(list((tmp_path / "plots").glob("clip-*.png"))) == 2


def test_one_video_file_for_several_clips_is_refused_before_anything_is_predicted(weights, video, tmp_path, capsys):
    code, out, err = predict(capsys, "--weights", weights, video, video, "--video", tmp_path / "out.mp4")
    assert (code, out) == (2, "") and "give a folder, or one clip" in err
    assert not (tmp_path / "out.mp4").exists()
