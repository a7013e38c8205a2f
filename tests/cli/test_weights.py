"""`benchmark weights` and `--init` as a user meets them: output, messages, exit codes."""

from __future__ import annotations

import json
import os

import pytest
import torch
from safetensors import safe_open

from benchmark.cli.main import main
from benchmark.files import hash_file
from benchmark.registry import registry
from benchmark.training.checkpoints import our_names
from tests.conftest import benchmark
from tests.golden import reference

METHOD = registry().find("methods", "former-dfer")
ORDER = ("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear")
SMALL = ("--method", "former-dfer", "--preset", "small")


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    """A file as Former-DFER's script writes it, of the small preset, for so many classes, without some tensors."""
    folder = tmp_path_factory.mktemp("official")

    def make(classes=7, without=(), **extra):
        _, model = reference.build(METHOD, "small", num_classes=classes)
        own = model.state_dict()
        entries = [entry[0] for entry in reference.read("former_dfer", "state_dict.json")["entries"]]
        names = our_names(METHOD.networks["model"], entries)
        state = {theirs: own[ours] for theirs, ours in names.items() if ours in own and theirs not in without}
        path = folder / f"{len(list(folder.iterdir()))}.pth.tar"
        prefixed = {f"module.{key}": tensor for key, tensor in {**state, **extra}.items()}
        torch.save({"epoch": 5, "state_dict": prefixed, "best_acc": torch.tensor(1.0)}, path)
        return path

    return make


@pytest.fixture
def evil(tmp_path):
    class Malicious:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'executed'}",)

    torch.save({"state_dict": {"fc.weight": torch.ones(7, 2)}, "recorder": Malicious()}, tmp_path / "evil.pth")
    yield tmp_path / "evil.pth"
    assert not (tmp_path / "executed").exists()


@pytest.fixture
def starting_from(synthetic_root, tmp_path, capsys):
    """Runs two short folds from a file, in this process, where torch is loaded already; gives stdout and stderr."""

    def run(path):
        short = ("--set", "epochs=1", "--folds", "1,2", "--limit", "8", "--init", f"model={path}", "--json")
        where = ("--data-root", str(synthetic_root), "-o", str(tmp_path / "runs"))
        assert main(["run", "--protocol", "dfew-5fold", *SMALL, *short, *where]) == 0
        return capsys.readouterr()

    return run


def test_inspect_says_what_a_file_is(official, capsys):
    assert main(["weights", "inspect", str(official())]) == 0
    out = capsys.readouterr().out
    for fact in (
        "torch, under state_dict, prefix module. removed",
        "epoch, best_acc",
        "former-dfer (Former-DFER)",
        "model: the whole network",
        "under its official names",
        "happy, sad, neutral",
        "former_dfer/README.md",
    ):
        assert fact in out


def test_inspect_as_json(official, capsys):
    path = official(classes=11)
    main(["weights", "inspect", str(path), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert (found["format"], found["wrapper"], found["prefix"]) == ("torch", ["state_dict"], "module.")
    assert found["sha256"] == hash_file(path)
    assert found["others"] == ["epoch", "best_acc"]
    (match,) = found["matches"]
    assert (match["method"], match["network"], match["naming"], match["classes"]) == (
        "former-dfer",
        "model",
        "official",
        11,
    )


def test_inspect_does_not_claim_a_class_order_for_other_classes(official, capsys):
    main(["weights", "inspect", str(official(classes=11))])
    assert "not known for these 11 classes" in capsys.readouterr().out


def test_a_file_of_nobody_is_called_so(tmp_path, capsys):
    torch.save({"weight": torch.ones(2)}, tmp_path / "w.pth")
    assert main(["weights", "inspect", str(tmp_path / "w.pth")]) == 0
    assert "nothing: no installed method" in capsys.readouterr().out


def test_several_networks_are_all_named(tmp_path, capsys):
    names = [
        name for method in ("tsm", "former-dfer") for name in registry().methods[method].networks["model"].signature
    ]
    torch.save({name: torch.ones(7) for name in names}, tmp_path / "w.pth")
    main(["weights", "inspect", str(tmp_path / "w.pth")])
    out = capsys.readouterr().out
    assert "2 networks whose files look like this one" in out
    assert "tsm (" in out
    assert "former-dfer (" in out


def test_import_writes_our_names_and_says_what_they_are(official, tmp_path, capsys):
    source, out = official(classes=7), tmp_path / "w.safetensors"
    assert main(["weights", "import", *SMALL, str(source), str(out)]) == 0
    assert "7 classes (happy, sad," in capsys.readouterr().out
    with safe_open(out, "pt") as file:
        metadata = file.metadata()
        _, model = reference.build(METHOD, "small")
        assert set(file.keys()) == model.state_dict().keys()
    assert metadata == {
        "method": "former-dfer",
        "network": "model",
        "preset": "small",
        "class_order": json.dumps(ORDER),
        "source_sha256": hash_file(source),
    }
    main(["weights", "inspect", str(out), "--json"])
    (match,) = json.loads(capsys.readouterr().out)["matches"]
    assert (match["naming"], match["preset"], match["classes"]) == ("ours", "small", 7)
    assert match["class_order"] == list(ORDER)
    before = out.read_bytes()
    assert main(["weights", "import", *SMALL, str(source), str(out)]) == 2
    assert "exists and is not overwritten" in capsys.readouterr().err
    assert out.read_bytes() == before


def test_import_keeps_other_numbers_of_classes_and_reports_a_missing_head(official, tmp_path, capsys):
    assert main(["weights", "import", *SMALL, str(official(classes=11)), str(tmp_path / "a.safetensors")]) == 0
    assert "11 classes\n" in capsys.readouterr().out
    headless = official(without=("fc.weight", "fc.bias"))
    assert main(["weights", "import", *SMALL, str(headless), str(tmp_path / "b.safetensors")]) == 0
    out = capsys.readouterr().out
    assert "no classifier" in out
    assert "missing: cls_head.fc_cls.weight" in out
    with safe_open(tmp_path / "b.safetensors", "pt") as file:
        assert not [key for key in file.keys() if key.startswith("cls_head")]  # noqa: SIM118


def test_import_lists_every_missing_and_unexpected_key(official, tmp_path, capsys):
    lacking = ("s_former.conv1.weight", "t_former.cls_token")
    path = official(without=lacking, **{"aux.weight": torch.ones(1), "aux.bias": torch.ones(1)})
    assert main(["weights", "import", *SMALL, str(path), str(tmp_path / "w.safetensors")]) == 4
    done = capsys.readouterr()
    for line in ("missing: backbone.t_former.cls_token", "unexpected: aux.weight", "unexpected: aux.bias"):
        assert line in done.out
    assert done.out.count("missing:") == 2
    assert "lacks 2 tensors of former-dfer" in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--method", "former-dfr"), 2, "did you mean 'former-dfer'"),
        (("--method", "former-dfer", "--preset", "tiny"), 2, "no preset 'tiny'"),
        (("--method", "former-dfer", "--network", "modell"), 2, "did you mean 'model'"),
        (("--method", "former-dfer"), 4, "another size of the model"),
        (("--method", "tsm", "--preset", "small"), 4, "another model"),
    ],
)
def test_what_does_not_fit_is_explained(official, tmp_path, capsys, options, code, message):
    path = official()
    assert main(["weights", "import", *options, str(path), str(tmp_path / "w.safetensors")]) == code
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_output_must_be_called_what_it_is(official, tmp_path, capsys):
    assert main(["weights", "import", *SMALL, str(official()), str(tmp_path / "w.pth")]) == 2
    assert "give it a name that ends so" in capsys.readouterr().err


@pytest.mark.parametrize("command", [("inspect",), ("import", *SMALL)], ids=["inspect", "import"])
def test_a_malicious_file_exits_4_and_runs_nothing(evil, tmp_path, capsys, command):
    out = [str(tmp_path / "w.safetensors")] if command[0] == "import" else []
    assert main(["weights", *command, str(evil), *out]) == 4
    assert "evil.pth was not loaded: reading it would run" in capsys.readouterr().err
    assert not (tmp_path / "w.safetensors").exists()


def test_a_malicious_file_exits_4_as_initial_weights(evil, synthetic_root, tmp_path):
    done = benchmark(
        *("run", "--protocol", "dfew-5fold", *SMALL, "--set", "epochs=1", "--folds", "1", "--limit", "8"),
        *("--data-root", synthetic_root, "-o", tmp_path / "runs", "--init", evil),
    )
    assert done.returncode == 4
    assert "evil.pth was not loaded" in done.stderr
    assert not list((tmp_path / "runs").rglob("state.json"))


def test_a_run_says_what_of_its_initial_weights_did_not_fit(official, starting_from, tmp_path):
    path = official(classes=11, without=("t_former.cls_token",))
    out, err = starting_from(path)
    (line,) = [line for line in err.splitlines() if "model starts from" in line]
    assert "1 missing, left freshly initialised (backbone.t_former.cls_token)" in line
    assert "2 of the classifier for other classes" in line
    (record,) = json.loads(out)
    assert record["init"] == {"model": hash_file(path)}
    for log in (tmp_path / "runs").rglob("log.txt"):
        assert "missing=('backbone.t_former.cls_token',)" in log.read_text()
    assert "already learned" not in err


def test_a_run_warns_of_a_classifier_that_may_have_seen_the_test_clips(official, starting_from):
    path = official()
    _, err = starting_from(path)
    (line,) = [line for line in err.splitlines() if "already learned" in line]
    assert line.startswith(f"warning: {path} brings a classifier")
