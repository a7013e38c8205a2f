"""`benchmark prune`: what finished work does not need goes, and nothing else."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from pathlib import Path

import pytest

import benchmark as library
from benchmark import Request, Resources, Variant
from benchmark.cli.main import main
from benchmark.files import hash_file
from benchmark.library.run import plan
from benchmark.locks import LEASE, exclusive
from benchmark.units import pretraining
from benchmark.units.identity import set_aside
from benchmark.units.pretraining import PretrainingState, PretrainingUnit
from benchmark.units.state import SCORES, Selected, UnitState, read_state, save_state
from tests.small_runs import Remembering, planned


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """The published leaderboard of this checkout is not what these tests are about."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def unit(synthetic_root, tmp_path_factory):
    request = Request("dfew-5fold", (Variant("tsm"),), preset="small", folds=(1,))
    group, _ = planned(request, synthetic_root, tmp_path_factory.mktemp("planned"))
    return group.units[0]


@pytest.fixture
def finished(unit):
    """A scored unit in `runs`, as releases left it that kept the optimiser's state."""
    return work(unit, "scored")


def work(unit, status, best=b"best", last=b"last epoch") -> Path:
    folder = Path("runs") / unit.folder
    for name, content in (("best.pth", best), ("last.pth", last)):
        (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        (folder / "checkpoints" / name).write_bytes(content)
    (folder / SCORES).write_text("{}")
    sha256 = hash_file(folder / "checkpoints" / "best.pth")
    selected = Selected(epoch=1, epochs=2, value=0.5, sha256=sha256) if status == "scored" else None
    save_state(folder, UnitState(identity=unit.identity, unit=unit, status=status, selected=selected))
    return folder


def prune(*arguments) -> tuple[str, str]:
    """What the command prints on stdout and on stderr."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(["prune", *map(str, arguments)])
    assert code == 0, err.getvalue()
    return out.getvalue(), err.getvalue()


def tree() -> dict[str, bytes]:
    files = (path for path in Path().rglob("*") if path.is_file() and not path.name.startswith(LEASE))
    return {str(path): path.read_bytes() for path in files}


def test_the_last_epoch_goes_and_the_selected_one_stays(finished):
    before = tree()
    last = str(finished / "checkpoints" / "last.pth")
    assert json.loads(prune("--json")[0])["bytes"] == len(before[last])
    assert tree() == {name: content for name, content in before.items() if name != last}


def test_the_last_epoch_stays_where_it_is_the_selected_one(unit):
    work(unit, "scored", best=b"same", last=b"same")
    before = tree()
    prune()
    assert tree() == before


@pytest.mark.parametrize("status", ["training", "failed", "pending"])
def test_work_that_can_go_on_stays(unit, status):
    work(unit, status)
    before = tree()
    prune()
    assert tree() == before


def test_what_a_killed_process_left_half_written_goes(unit):
    folder = work(unit, "training")
    before = tree()
    (folder / "checkpoints" / ".last.pth.abc.tmp").write_bytes(b"half")
    prune()
    assert tree() == before


def test_what_a_living_process_holds_stays(finished):
    before = tree()
    with exclusive(finished):
        out, err = prune()
    assert tree() == before
    assert "freed 0.0 MiB" in out and f"left: {finished}: another process is at work there" in err


def test_a_dry_run_says_the_same_and_changes_nothing(finished, unit):
    set_aside(finished, unit.identity)
    work(unit, "scored")
    before = tree()
    said = json.loads(prune("--dry-run", "--json")[0])
    assert tree() == before
    done = json.loads(prune("--json")[0])
    assert {**said, "dry_run": False} == done and len(done["removed"]) == 2


def test_work_that_was_started_over_goes(finished, unit):
    set_aside(finished, unit.identity)
    work(unit, "scored", best=b"another", last=b"another")
    prune()
    assert sorted({Path(name).name for name in tree()}) == ["best.pth", "last.pth", "scores.json", "state.json"]
    assert not list(Path("runs").rglob("replaced/*"))


def test_work_that_was_started_over_stays_where_a_published_record_names_its_checkpoint(finished, unit):
    sha256 = hash_file(finished / "checkpoints" / "best.pth")
    set_aside(finished, unit.identity)
    work(unit, "scored", best=b"another", last=b"another")
    record = Path("leaderboard/records/dfew-5fold/one.json")
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"units": [{"checkpoint_sha256": sha256}]}))
    before = tree()
    assert "a record names checkpoints/best.pth" in prune()[1]
    assert tree() == before


def test_a_kill_in_between_is_mended_by_the_same_command(finished, unit, monkeypatch):
    set_aside(finished, unit.identity)
    work(unit, "scored", best=b"another", last=b"another")

    def killed(folder):
        next(path for path in Path(folder).rglob("*") if path.is_file()).unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted:
        interrupted.setattr(shutil, "rmtree", killed)
        assert main(["prune"]) == 130
    prune()
    assert not list(Path("runs").rglob("replaced/*")) and not list(Path("runs").rglob("replaced/.*"))


def test_a_damaged_state_is_left_and_said_and_the_others_are_pruned(finished):
    broken = Path("runs/other/seed-0/fold-1")
    broken.mkdir(parents=True)
    (broken / "state.json").write_text("{")
    assert f"left: {broken}: " in prune()[1]
    assert not (finished / "checkpoints" / "last.pth").exists()


def test_a_pretraining_keeps_its_weights():
    unit = PretrainingUnit(
        method="videomae",
        method_version="1",
        pretraining="masked",
        preset="small",
        seed=0,
        data="0",
        source="videos",
        classes=(),
        synthetic=False,
    )
    folder = Path("pretrained") / unit.folder
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "last.pth").write_bytes(b"the autoencoder")
    (folder / pretraining.WEIGHTS).write_bytes(b"the encoder")
    weights = hash_file(folder / pretraining.WEIGHTS)
    pretraining.save_state(folder, PretrainingState(identity=unit.identity, unit=unit, weights=weights))
    prune("pretrained")
    assert {Path(name).name for name in tree()} == {pretraining.WEIGHTS, pretraining.STATE}


def test_a_missing_folder_is_a_mistake(capsys):
    assert main(["prune", "nowhere"]) == 2
    assert "nowhere: no such folder" in capsys.readouterr().err


def test_a_pruned_run_is_finished_predicts_and_keeps_its_record(synthetic_root):
    request = Request("dfew-5fold", (Variant("tsm"),), preset="small", folds=(1,), settings=("epochs=2",), limit=16)
    on_cpu = Resources(device="cpu", jobs=1)
    [record] = library.run(request, data_root=synthetic_root, resources=on_cpu)
    library.prune()
    watcher = Remembering()
    [again] = library.run(request, data_root=synthetic_root, resources=on_cpu, watcher=watcher)
    assert again == record and watcher.epochs == []
    assert [each.finished for each in plan(request, data_root=synthetic_root)] == [True]
    [best] = Path("runs").rglob("best.pth")
    assert hash_file(best) == record.units[0].checkpoint_sha256
    assert read_state(best.parent.parent).status == "scored"
    clip = next((synthetic_root / "Clip/clip_224x224").iterdir())
    assert library.predict([clip], "tsm", best, device="cpu").clips
