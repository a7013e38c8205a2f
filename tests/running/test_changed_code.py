"""A plugin whose code changes after its units have finished: noticed, named, refused, started over or kept."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.datasets.synthetic.raf_db import synthesize

SPEC = """
from benchmark import hookimpl
from benchmark.specs import MethodSpec, Preset, Pretraining, Sampling

SMALL = Preset(size=16, sampling=Sampling(clips=2), epochs=1, batch_size=8, decode_size=16)
METHOD = MethodSpec(
    name="changing", title="Changing", citation="-", licence="MIT", recipe="changing.recipe:recipe",
    presets={"paper": SMALL}, official_evaluation="none",
    pretrainings={"labels": Pretraining(
        title="labels", citation="-", data="images", recipe="changing.recipe:recipe",
        export="changing.helper:export", presets={"paper": SMALL},
    )},
)

@hookimpl
def benchmark_methods():
    return [METHOD]
"""
RECIPE = """
from benchmark.specs import Recipe
from changing.helper import RATE

def recipe(preset, num_classes):
    resize = [dict(type="Resize", scale=(16, 16), keep_ratio=False)]
    head = dict(type="I3DHead", num_classes=num_classes, in_channels=4, average_clips="prob")
    return Recipe(
        model=dict(type="Recognizer3D", backbone=dict(type="ChangingNet"), cls_head=head),
        format_shape="NCTHW", train_transforms=resize, test_transforms=resize,
        optim_wrapper=dict(optimizer=dict(type="SGD", lr=RATE)),
        param_scheduler=[dict(type="ConstantLR", factor=1.0)], imports=["changing.model"],
    )
"""
MODEL = """
from mmaction.registry import MODELS
from torch import nn

@MODELS.register_module()
class ChangingNet(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv3d(3, 4, 1), nn.ReLU())
"""
HELPER = "RATE = 0.01\n\ndef export(state):\n    return state\n"


class Plugin:
    """The plugin's files, and the command line in an environment where it is installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        package, info = folder / "changing", folder / "changing-1.0.dist-info"
        package.mkdir(parents=True)
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: changing\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[benchmark.plugins]\nchanging = changing\n")
        for name, text in (("__init__", SPEC), ("recipe", RECIPE), ("model", MODEL), ("helper", HELPER)):
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        (self.folder / "changing" / f"{name}.py").write_text(text)

    def command(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-m", "benchmark", *map(str, arguments)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)


@pytest.fixture(scope="module")
def finished(synthetic_root, tmp_path_factory):
    """The plugin, and the runs and pre-trainings that its first version left."""
    place = tmp_path_factory.mktemp("changing")
    plugin = Plugin(place / "site")
    run = ("run", "--protocol", "dfew-fold1", "--method", "changing", "--limit", 14, "--data-root", synthetic_root)
    synthesize(place / "images" / "raf-db", 35, 0, lambda done, total: None)
    pretrain = ("pretrain", "--method", "changing", "--dataset", "raf-db", "--data-root", place / "images")
    for command, out in ((run, "runs"), (pretrain, "pretrained")):
        done = plugin.command(*command, "-o", place / out)
        assert done.returncode == 0, done.stderr
    return place, run, pretrain


@pytest.fixture
def setting(finished, tmp_path):
    """Copies of these: the plugin, and a function that runs each command over what was left."""
    place, run, pretrain = finished
    shutil.copytree(place / "site", tmp_path / "site")
    for out in ("runs", "pretrained"):
        shutil.copytree(place / out, tmp_path / out)
    plugin = Plugin.__new__(Plugin)
    plugin.folder = tmp_path / "site"

    def both(*more: object) -> list[subprocess.CompletedProcess[str]]:
        return [
            plugin.command(*command, "-o", tmp_path / out, *more)
            for command, out in ((run, "runs"), (pretrain, "pretrained"))
        ]

    return plugin, both, tmp_path


def checkpoints(place: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in place.rglob("*.pth") if "replaced" not in path.parts}


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        ("model", MODEL.replace("nn.ReLU()", "nn.GELU()"), "code of changing.model"),
        ("recipe", RECIPE.replace("factor=1.0", "factor=0.5"), "recipe.param_scheduler.0.factor"),
        ("helper", HELPER.replace("0.01", "0.02"), "code of changing.helper, recipe.optim_wrapper.optimizer.lr"),
    ],
)
def test_a_change_is_refused_and_named(setting, name, text, named):
    plugin, both, place = setting
    before = checkpoints(place)
    plugin.write(name, text)
    for done in both():
        assert done.returncode == 4
        (line,) = [line for line in done.stderr.splitlines() if "differs in" in line]
        assert all(part in line for part in named.split(", "))
        assert "--again" in line and "--keep" in line
    assert checkpoints(place) == before


def test_a_comment_and_a_changed_copy_elsewhere_are_no_change(setting):
    plugin, both, place = setting
    before = checkpoints(place)
    plugin.write("model", f'"""Other words."""\n# A comment.\n{MODEL}')
    shutil.copytree(plugin.folder / "changing", place / "elsewhere")
    (place / "elsewhere" / "model.py").write_text(MODEL.replace("ReLU", "GELU"))
    assert [done.returncode for done in both()] == [0, 0]
    assert checkpoints(place) == before


def test_keep_keeps_what_is_finished_and_the_record_and_the_page_say_so(setting):
    plugin, both, place = setting
    before = checkpoints(place)
    plugin.write("model", MODEL.replace("nn.ReLU()", "nn.GELU()"))
    run, pretrained = both("--keep")
    assert (run.returncode, pretrained.returncode) == (0, 0)
    assert checkpoints(place) == before
    (record,) = (place / "runs").rglob("record.json")
    assert json.loads(record.read_text())["units"][0]["kept"] == ["code of changing.model"]
    assert "1 units kept from older code" in (place / "runs" / "SYNTHETIC.md").read_text()
    (state,) = (place / "pretrained").rglob("pretraining.json")
    assert json.loads(state.read_text())["kept"] == ["code of changing.model"]
    # What was kept is now what would be run, without asking again.
    assert [done.returncode for done in both()] == [0, 0]


def test_again_sets_the_old_work_aside_and_trains(setting):
    plugin, both, place = setting
    before = checkpoints(place)
    plugin.write("model", MODEL.replace("nn.ReLU()", "nn.GELU()"))
    run, pretrained = both("--again")
    assert (run.returncode, pretrained.returncode) == (0, 0), run.stderr + pretrained.stderr
    assert all(after != before[path] for path, after in checkpoints(place).items())
    for out, state in (("runs", "state.json"), ("pretrained", "pretraining.json")):
        (aside,) = [path for path in (place / out).rglob(state) if "replaced" in path.parts]
        assert json.loads(aside.read_text())["unit"]["method"] == "changing"
    (record,) = (path for path in (place / "runs").rglob("record.json") if "replaced" not in path.parts)
    assert json.loads(record.read_text())["units"][0]["kept"] == []
