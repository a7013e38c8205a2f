"""A record's predictions made again from its checkpoint, and what a maintainer's signature then says."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from benchmark.cli.main import main
from benchmark.leaderboard import add, build, check, read_entries
from benchmark.planning.request import Request, Variant
from benchmark.records import RECORD, write_record
from benchmark.running.record import make_record
from benchmark.running.steps import run_unit
from benchmark.watcher import Watcher
from tests.small_runs import planned

pytestmark = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="needs ssh-keygen (Debian: openssh-client)")


@pytest.fixture(scope="module")
def trained(synthetic_root, tmp_path_factory):
    """Two runs of one unit each, with other seeds: their record folders, and where their checkpoints lie."""
    runs = tmp_path_factory.mktemp("runs")
    found = []
    for seed in (0, 1):
        request = Request(
            "dfew-fold1",
            (Variant("tsm"),),
            preset="small",
            seeds=(seed,),
            settings=("epochs=1", "size=32", "decode_size=32"),
        )
        group, machine = planned(request, synthetic_root, runs / str(seed))
        (unit,), data = group.units, group.data
        run_unit(unit, data.folds[1], machine, Watcher())
        place = machine.runs / unit.record_folder
        write_record(place / RECORD, make_record(place, data))
        found.append((place, machine.runs / unit.folder / "checkpoints/best.pth"))
    return found


@pytest.fixture
def board(trained, tmp_path):
    """A leaderboard with the first run's record, and the key of its maintainer."""
    folder = tmp_path / "leaderboard"
    add(trained[0][0], folder)
    build(folder)
    key = tmp_path / "ada"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    (folder / "maintainers").write_text(f"ada {key.with_suffix('.pub').read_text()}")
    return folder, folder / read_entries(folder)[0].path, key


def command(action, board, root, *more) -> int:
    folder, place, key = board
    options = ("--dir", folder, "--data-root", root, "--key", key, "--by", "ada")
    return main([str(part) for part in ("leaderboard", action, place / RECORD, *options, *more)])


def test_reproducing_a_record_raises_its_level_with_a_signature(trained, board, synthetic_root, capsys):
    assert command("reproduce", board, synthetic_root, "--weights", trained[0][1], "--clips", 5) == 0
    assert "5" in capsys.readouterr().out.splitlines()[-1]
    (entry,) = check(board[0]).entries
    assert entry.level == "re-predicted"
    assert "re-predicted, no facts" in (board[0] / "SYNTHETIC.md").read_text()


def test_a_folder_of_checkpoints_serves_as_well(trained, board, synthetic_root):
    assert command("reproduce", board, synthetic_root, "--weights", trained[0][0], "--clips", 2) == 0


def test_another_models_weights_are_refused(trained, board, synthetic_root, capsys):
    assert command("reproduce", board, synthetic_root, "--weights", trained[1][1]) == 4
    assert "is not the checkpoint of any unit of the record" in capsys.readouterr().err
    assert check(board[0]).entries[0].level == "consistent"


def test_other_predictions_than_the_checkpoint_gives_are_refused(trained, board, synthetic_root, monkeypatch, capsys):
    """The record names this checkpoint, but its predictions are another model's."""
    from benchmark.running import reproducing

    monkeypatch.setattr(reproducing, "checkpoints_among", lambda record, weights: [(record.units[0], trained[1][1])])
    assert command("reproduce", board, synthetic_root, "--weights", trained[0][1]) == 4
    assert "a probability differs by" in capsys.readouterr().err
    assert check(board[0]).entries[0].level == "consistent"


def test_joining_the_labels_raises_the_level_and_takes_the_data(board, synthetic_root, tmp_path, capsys):
    assert command("attest", board, tmp_path) == 3
    assert command("attest", board, synthetic_root) == 0
    assert check(board[0]).entries[0].level == "labels-joined"


def test_training_again_is_compared_unit_by_unit(trained, board, synthetic_root, capsys):
    assert command("attest", board, synthetic_root, "--run", trained[1][0]) == 4
    assert "seed 0, fold 1: the two records ran different units" in capsys.readouterr().err
    assert command("attest", board, synthetic_root, "--run", trained[0][0]) == 4
    assert "one and the same training" in capsys.readouterr().err


def test_a_key_needs_a_name(trained, board, synthetic_root, capsys):
    folder, place, key = board
    arguments = ["leaderboard", "attest", place, "--dir", folder, "--data-root", synthetic_root, "--key", key]
    assert main([str(part) for part in arguments]) == 2
    assert "--key and --by belong together" in capsys.readouterr().err
    assert not Path(folder / "attestations").exists()
