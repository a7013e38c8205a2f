"""Crops of one's own under a protocol: another recipe is other data, another row, and none of the official ones."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

import benchmark
from benchmark.cli.main import main
from benchmark.errors import EnvironmentProblem, IntegrityError
from benchmark.faces.crops import Crops, crops_of, read_crops_file, write_crops_file
from benchmark.faces.recipe import RECIPES, CropRecipe
from benchmark.files import hash_value
from benchmark.planning.data import check_frames, load_data
from benchmark.planning.pretraining_sources import videos
from benchmark.planning.request import Request, UnitGroup, Variant, make_units
from benchmark.protocol import load_protocol
from benchmark.records import DataUse, read_record, verify_record
from benchmark.running.groups import run_group
from benchmark.scoring.predictions import read_predictions
from tests import finished_run
from tests.cli.test_score import PROTOCOL
from tests.faces.drawing import DARK, LIGHT, scene, walk, write_video

CLASSES: list[str] = PROTOCOL["classes"]
HAAR, OTHER = RECIPES["haar"], RECIPES["centerface"]


def made(recipe: CropRecipe, shares: dict[str, float] | None = None, complete: bool = True) -> Crops:
    return Crops(recipe=recipe, hash=recipe.hash, made_with={}, synthetic=False, complete=complete, shares=shares or {})


@pytest.fixture
def study(tmp_path) -> Path:
    """A protocol, and a table of sixty clips below `crops`; the face of every fifth is in a third of its frames."""
    root = tmp_path / "data"
    root.mkdir()
    with open(root / "clips.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["clip_id", "path", "label", "fold"])
        for number in range(60):
            rows.writerow([f"c{number}", f"crops/c{number}", CLASSES[number % 4], 1 + number % 3])
            (root / f"crops/c{number}").mkdir(parents=True)
    (tmp_path / "my-study.yaml").write_text(yaml.safe_dump(PROTOCOL))
    return tmp_path


def shares() -> dict[str, float]:
    return {f"c{number}": 0.33 if number % 5 == 0 else 1.0 for number in range(60)}


def data_of(study: Path):
    return load_data(load_protocol(study / "my-study.yaml"), study / "data", votes=False)


def test_the_recipe_is_in_the_datas_fingerprint_and_its_absence_changes_nothing(study):
    plain = data_of(study)
    prints = [plain.fingerprints["hard"]]
    for recipe in (HAAR, OTHER, HAAR.model_copy(update={"margin": 0.2})):
        write_crops_file(study / "data/crops", made(recipe))
        data = data_of(study)
        assert data.crops == recipe
        prints.append(data.fingerprints["hard"])
    assert plain.crops is None
    assert len(set(prints)) == 4
    # As it was before there were any recipes.
    (study / "data/crops/crops.json").unlink()
    assert data_of(study).fingerprints["hard"] == prints[0]


def test_a_unit_on_other_crops_is_another_unit_in_another_folder(study):
    protocol = load_protocol(study / "my-study.yaml")
    request = Request(str(study / "my-study.yaml"), (Variant("tsm"),), preset="small", folds=(1,))
    units = [make_units(request, protocol, data_of(study))[0]]
    for recipe in (HAAR, OTHER):
        write_crops_file(study / "data/crops", made(recipe))
        units.append(make_units(request, protocol, data_of(study))[0])
    assert len({unit.identity for unit in units}) == len({unit.folder for unit in units}) == 3
    assert units[0].folder.parts[1] == "tsm@small"


@pytest.mark.parametrize("fault", ["unfinished", "mixed", "damaged", "forged"])
def test_crops_that_are_not_whole_are_refused(study, fault):
    folder = study / "data/crops"
    write_crops_file(folder, made(HAAR, complete=fault != "unfinished"))
    if fault == "mixed":
        write_crops_file(folder / "c7", made(OTHER))
        shutil.move(folder / "c7", folder / "c7x")
        (folder / "c7/deeper").mkdir(parents=True)
        shutil.move(folder / "c7x/crops.json", folder / "c7/crops.json")
        text = (study / "data/clips.csv").read_text().replace("crops/c7,", "crops/c7/deeper,")
        (study / "data/clips.csv").write_text(text)
    if fault == "damaged":
        (folder / "crops.json").write_text("{")
    if fault == "forged":
        changed = json.loads((folder / "crops.json").read_text())
        changed["recipe"]["margin"] = 0.9
        (folder / "crops.json").write_text(json.dumps(changed))
    with pytest.raises(IntegrityError, match="crops.json|one recipe"):
        data_of(study)


def test_clips_that_lie_outside_the_crops_have_no_recipe(tmp_path):
    write_crops_file(tmp_path / "crops", made(HAAR))
    assert crops_of(tmp_path, ["videos/a", "videos/b"])[0] is None
    assert crops_of(tmp_path, ["crops/a"])[0] == HAAR
    # What lies above the dataset's root says nothing of it.
    assert crops_of(tmp_path / "crops/DFEW", ["a"])[0] is None


def test_a_pre_training_on_other_crops_learns_from_other_data(tmp_path):
    (tmp_path / "videos/a").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "videos/a/1.jpg"), np.zeros((8, 8, 3), np.uint8))
    prints = [videos(tmp_path / "videos").fingerprint]
    assert prints[0] == hash_value([{"clip_id": "a", "path": "a"}])
    for recipe in (HAAR, OTHER):
        write_crops_file(tmp_path / "videos", made(recipe))
        prints.append(videos(tmp_path / "videos").fingerprint)
    assert len(set(prints)) == 3
    write_crops_file(tmp_path / "videos", made(HAAR).model_copy(update={"synthetic": True}))
    assert videos(tmp_path / "videos").synthetic


def finish(study: Path, crops: CropRecipe | None, protocol: Any = None) -> Path:
    protocol = protocol or load_protocol(study / "my-study.yaml")
    folds = load_data(protocol, study / "data", votes=False).folds
    data = DataUse(dataset="table", frame_source="path", synthetic=False, fingerprint="f" * 64, clips=60, crops=crops)
    run = study / f"run-{crops.name if crops else 'plain'}-{protocol.hash[:6]}"
    with pytest.MonkeyPatch.context() as patch:
        labels = lambda split, fold, _: {clip.id: clip.label for clip in folds[fold].split(split)}  # noqa: E731
        patch.setattr(finished_run, "labels_of", labels)
        finished_run.finish(run, protocol=protocol, data=data)
    return run


def test_a_record_on_crops_of_ones_own_is_marked_and_verifies(study):
    write_crops_file(study / "data/crops", made(HAAR))
    run = finish(study, HAAR)
    record = read_record(run / "record.json")
    verify_record(record, run)
    assert record.data.crops == HAAR
    assert record.marks.unofficial == [f"faces cropped by the recipe {HAAR.title}"]
    assert not record.eligible
    hidden = record.model_copy(update={"marks": record.marks.model_copy(update={"unofficial": []}), "eligible": True})
    with pytest.raises(IntegrityError, match="leaves out: faces cropped"):
        verify_record(hidden, run)


def test_a_record_without_them_says_nothing_of_crops(study):
    record = read_record(finish(study, None) / "record.json")
    assert record.eligible
    assert "crops" not in record.canonical()["data"]


def test_a_protocol_that_names_its_recipe_ranks_the_crops_of_that_recipe_alone(study):
    wanted = {**PROTOCOL, "frames": {**PROTOCOL["frames"], "crops": HAAR.hash}}
    (study / "my-study.yaml").write_text(yaml.safe_dump(wanted))
    eligible = []
    for crops in (HAAR, OTHER, None):
        record = read_record(finish(study, crops) / "record.json")
        eligible.append(record.eligible)
    assert eligible == [True, False, False]


@pytest.mark.parametrize(
    ("wanted", "crops", "told"),
    [
        (HAAR, HAAR, []),
        (None, None, []),
        (HAAR, None, ["not cropped by the protocol"]),
        (None, OTHER, ["by the recipe"]),
    ],
)
def test_crops_that_are_not_the_protocols_are_told_before_anything_runs(study, wanted, crops, told):
    frames = {**PROTOCOL["frames"], **({"crops": wanted.hash} if wanted else {})}
    (study / "my-study.yaml").write_text(yaml.safe_dump({**PROTOCOL, "frames": frames}))
    if crops:
        write_crops_file(study / "data/crops", made(crops))
    group = UnitGroup(load_protocol(study / "my-study.yaml"), data_of(study), (), {})
    notes: list[str] = []

    class Listening(benchmark.Watcher):
        def note(self, message: str) -> None:
            notes.append(message)

    resources: Any = None
    assert run_group(group, [], study / "runs", resources, Listening()) == []
    assert len(notes) == len(told)
    assert all(text in note and "will not be ranked" in note for text, note in zip(told, notes, strict=True))


def test_missing_crops_are_told_with_how_they_are_made(study):
    protocol = load_protocol(study / "my-study.yaml")
    cropped = protocol.model_copy(update={"frames": protocol.frames.model_copy(update={"crops": HAAR.hash})})
    data = data_of(study)
    shutil.rmtree(study / "data/crops/c7")
    for asked, told in ((protocol, False), (cropped, True)):
        with pytest.raises(EnvironmentProblem, match=r"1 of 60 clips have no frames") as caught:
            check_frames(data, asked)
        assert ("`benchmark data show table` says how faces are cropped" in str(caught.value)) == told


def test_runs_on_different_crops_are_compared_with_a_note(study, capsys):
    write_crops_file(study / "data/crops", made(HAAR))
    runs = [finish(study, crops) for crops in (HAAR, None)]
    assert main(["compare", *map(str, runs), "--data-root", str(study / "data")]) == 0
    out, err = capsys.readouterr()
    assert HAAR.title in out + err


def test_the_score_without_clips_that_show_few_faces(study, capsys):
    write_crops_file(study / "data/crops", made(HAAR, shares()))
    run = finish(study, HAAR)
    command = ["score", str(run), "--data-root", str(study / "data"), "--json"]
    assert main([*command, "--faces-above", "0.5"]) == 0
    found = json.loads(capsys.readouterr().out)["with_faces"]
    hits = kept = 0
    per_unit = []
    for unit in read_record(run / "record.json").units:
        predictions = read_predictions(run / unit.predictions.test.path, CLASSES)
        numbers = np.array([int(clip_id[1:]) for clip_id in predictions.ids])
        few = numbers % 5 == 0
        right = predictions.predicted[~few] == numbers[~few] % 4
        per_unit.append(right.mean())
        hits, kept = hits + right.sum(), kept + len(right)
    assert (found["predictions"], found["of"]) == (kept, 60)
    assert found["metrics"]["war"]["mean"] == pytest.approx(np.mean(per_unit), abs=1e-6)
    assert found["metrics"]["war"]["pooled"] == pytest.approx(hits / kept, abs=1e-6)


def test_without_crops_nobody_knows_where_faces_are(study, capsys):
    run = finish(study, None)
    assert main(["score", str(run), "--data-root", str(study / "data"), "--faces-above", "0.5"]) == 2
    assert "data prepare" in capsys.readouterr().err


def test_what_a_crops_file_says_can_be_read_again(tmp_path):
    write_crops_file(tmp_path, made(OTHER, {"a": 0.25}))
    assert read_crops_file(tmp_path / "crops.json") == made(OTHER, {"a": 0.25})


@pytest.mark.slow
def test_a_unit_that_was_trained_on_crops_hands_its_recipe_on_to_predict(tmp_path, capsys):
    videos = tmp_path / "videos"
    for number in range(24):
        skin = LIGHT if number % 2 else DARK
        write_video(videos / f"c{number}.avi", [scene((place, skin)) for place in walk(8, (10.0 + number, 15, 70))])
    wide = HAAR.model_copy(update={"margin": 0.5})
    benchmark.prepare([videos], tmp_path / "data", recipe=wide, workers=1)
    rows = [f"c{k},crops/c{k},{('happy', 'sad')[k % 2]},{1 + k // 2 % 2}" for k in range(24)]
    (tmp_path / "data/clips.csv").write_text("\n".join(["clip_id,path,label,fold", *rows]) + "\n")
    protocol = {**PROTOCOL, "classes": ["happy", "sad"], "folds": [1, 2]}
    (tmp_path / "my-study.yaml").write_text(yaml.safe_dump(protocol))
    request = Request(
        str(tmp_path / "my-study.yaml"), (Variant("tsm"),), preset="small", folds=(1,), settings=("epochs=1",)
    )
    (record,) = benchmark.run(request, data_root=tmp_path / "data", runs=tmp_path / "runs")
    assert record.data.crops == wide
    (weights,) = (tmp_path / "runs").rglob("best.pth")
    capsys.readouterr()
    assert main(["predict", "--method", "tsm", "--weights", str(weights), str(videos / "c3.avi"), "--json"]) == 0
    out, err = capsys.readouterr()
    assert wide.model_copy(update={"people": "all"}).title in err
    (seen,) = json.loads(out)
    assert (
        main(["predict", "--method", "tsm", "--weights", str(weights), str(tmp_path / "data/crops/c3"), "--json"]) == 0
    )
    assert seen["probabilities"] == json.loads(capsys.readouterr().out)[0]["probabilities"]
