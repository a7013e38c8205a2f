"""The views of official evaluations: which there are, which of them are the same, and what is made of them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmark.errors import UsageError
from benchmark.files import read_json, write_json
from benchmark.planning.data import load_data
from benchmark.planning.request import Request, Variant, check_request, make_units, resolve_protocol
from benchmark.records import verify_record
from benchmark.running.record import make_record
from benchmark.running.steps import Machine, run_unit
from benchmark.specs import Sampling, Views
from benchmark.training.adapter import import_mmaction
from benchmark.units.state import CHECKPOINTS
from benchmark.video.sampling import view_frames
from benchmark.watcher import Watcher
from tests.small_runs import planned

import_mmaction()

from benchmark.training.views import ViewCrop, averaged, viewed  # noqa: E402


def test_views_are_the_first_and_the_last_run_of_a_clip():
    sampling = Sampling(clips=1, length=16)
    assert [run.tolist() for run in view_frames(25, sampling, 2)] == [list(range(16)), list(range(9, 25))]


def test_five_views_lie_evenly():
    starts = [int(run[0]) for run in view_frames(160, Sampling(clips=1, length=16, stride=4), 5)]
    assert starts == [0, 24, 48, 72, 96]


def test_a_short_clip_has_one_view_and_ends_with_its_last_frame():
    first, second = view_frames(9, Sampling(clips=1, length=16, stride=4), 2)
    assert first.tolist() == second.tolist() == [0, 4, *[8] * 14]


@pytest.mark.parametrize(("shape", "expected"), [((4, 10), [0, 3, 6]), ((10, 4), [0, 3, 6])])
def test_crops_lie_along_the_longer_side(shape, expected):
    frame = np.arange(40, dtype=np.uint8).reshape(4, 10)
    frame = np.repeat((frame if shape == (4, 10) else frame.T)[..., None], 3, axis=2)
    found = []
    for k in range(3):
        cropped = ViewCrop(4)({"imgs": [frame], "view": {"crop": (k, 3)}})["imgs"][0]
        assert cropped.shape == (4, 4, 3)
        found.append(int(cropped[0, 0, 0]))
    assert found == expected


def loader(tmp_path, size, frames, cropped):
    for n in range(frames):
        (tmp_path / "clip").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / f"clip/{n:03}.jpg"), np.full((*size, 3), n, np.uint8))
    rows = tmp_path / "test.json"
    write_json(rows, {"metainfo": {}, "data_list": [{"clip_id": "a", "path": "clip"}]})
    crop = [{"type": "CenterCrop", "crop_size": 8}] if cropped else []
    pipeline = [{"type": "ReadFrames", "data_root": str(tmp_path)}, *crop]
    return {"dataset": {"ann_file": str(rows), "pipeline": pipeline}}


@pytest.mark.parametrize(
    ("size", "frames", "cropped", "weights"),
    [
        ((16, 8), 30, True, [1] * 6),
        # Square frames are not cropped, whole ones neither, and of a short clip all runs are one.
        ((8, 8), 30, True, [1] * 2),
        ((16, 8), 30, False, [1] * 2),
        ((16, 8), 3, True, [2] * 3),
        ((8, 8), 3, True, [2]),
    ],
)
def test_equal_views_are_recognised(tmp_path, size, frames, cropped, weights):
    config, counts = viewed(loader(tmp_path, size, frames, cropped), Views(2, 3), Sampling(clips=1, length=4))
    assert counts == weights
    assert len(read_json(tmp_path / "test.views.json")["data_list"]) == len(weights)
    assert config["dataset"]["pipeline"][-1]["type"] == ("ViewCrop" if cropped else "ReadFrames")


def test_probabilities_are_averaged_by_how_many_views_are_alike():
    scores = [("a", np.array([1.0, 0.0])), ("a", np.array([0.0, 1.0])), ("b", np.array([0.5, 0.5]))]
    (a, of_a), (b, of_b) = averaged(scores, [3, 1, 4])
    assert (a, b) == ("a", "b")
    np.testing.assert_allclose([*of_a, *of_b], [0.75, 0.25, 0.5, 0.5])


def test_a_trained_checkpoint_is_tested_again_over_views_and_never_ranked(synthetic_root, tmp_path):
    settings = ("epochs=1", "sampling.clips=1", "sampling.length=8")
    request = Request(
        "dfew-5fold", (Variant("videomae"),), preset="small", folds=(1,), settings=settings, limit=16, views="official"
    )
    protocol = resolve_protocol(request)
    check_request(request)
    data = load_data(protocol, synthetic_root, votes=False)
    [trained] = make_units(request, protocol, data)
    [unit] = make_units(request, protocol, data, [trained], request.views)
    assert unit.identity != trained.identity
    assert unit.folder != trained.folder
    machine = Machine(tmp_path, data.root, data.test_root, tmp_path / "cache", device="cpu")
    run_unit(trained, data.folds[1], machine, Watcher())
    run_unit(unit, data.folds[1], machine, Watcher())
    assert not (tmp_path / unit.folder / CHECKPOINTS).exists()
    record = make_record(tmp_path / unit.record_folder, data)
    assert record.method.views == "5 segments x 3 crops"
    assert any("5 segments x 3 crops" in reason for reason in record.marks.unofficial)
    assert not record.eligible
    verify_record(record, tmp_path / unit.record_folder)
    hidden = record.model_copy(update={"marks": record.marks.model_copy(update={"unofficial": []})})
    with pytest.raises(Exception, match="unofficial leaves out"):
        verify_record(hidden, tmp_path / unit.record_folder)


def test_views_of_a_method_that_has_one_are_refused():
    with pytest.raises(UsageError, match="looks at a clip once"):
        check_request(Request("dfew-5fold", (Variant("tsm"),), views="official"))


def test_weights_are_tested_as_they_are_where_no_epoch_is_trained(synthetic_root, tmp_path):
    from safetensors.torch import load_file, save_file

    from benchmark.training.model import build_model
    from benchmark.training.weights import read_weight_file

    weights = tmp_path / "weights.safetensors"
    save_file(build_model("tsm", "small").state_dict(), weights)
    request = Request(
        "dfew-5fold",
        (Variant("tsm"),),
        preset="small",
        folds=(1,),
        settings=("epochs=0",),
        limit=8,
        init={"model": weights},
    )
    check_request(request)
    group, machine = planned(request, synthetic_root, tmp_path)
    [unit], data = group.units, group.data
    state = run_unit(unit, data.folds[1], machine, Watcher())
    assert (state.selected.epoch, state.selected.epochs) == (0, 0)
    kept = read_weight_file(machine.runs / unit.folder / CHECKPOINTS / "best.pth").state
    for name, tensor in load_file(weights).items():
        assert (kept[name] == tensor).all(), name
    record = make_record(machine.runs / unit.record_folder, data)
    assert "nothing was trained: the initial weights were tested" in record.marks.unofficial
    assert not record.eligible
    verify_record(record, machine.runs / unit.record_folder)


def test_without_weights_no_epoch_is_refused():
    with pytest.raises(UsageError, match="the weights of --init"):
        check_request(Request("dfew-5fold", (Variant("tsm"),), settings=("epochs=0",)))
