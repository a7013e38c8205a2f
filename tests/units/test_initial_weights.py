from pathlib import Path

import pytest

from benchmark.errors import UsageError
from benchmark.files import hash_file
from benchmark.planning.request import Request, Variant, check_request
from benchmark.registry import registry
from benchmark.units.initial_weights import hash_files, network_of, parse_init


@pytest.fixture
def files(tmp_path):
    for name in ("a.pth", "b.pth"):
        (tmp_path / name).write_text(name)
    return tmp_path


def test_a_file_without_a_name_is_for_the_model(files):
    assert parse_init([str(files / "a.pth")]) == {"model": files / "a.pth"}


def test_every_network_gets_its_file(files):
    assert parse_init([f"landmark={files}/b.pth", f"{files}/a.pth"]) == {
        "landmark": files / "b.pth",
        "model": files / "a.pth",
    }


@pytest.mark.parametrize("name", ["x=1.pth", "lr=0.1/best.pth"])
def test_a_path_may_hold_an_equals_sign(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text("")
    assert parse_init([name]) == {"model": Path(name)}
    assert parse_init([f"guide={name}"]) == {"guide": Path(name)}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["{}/a.pth", "model={}/b.pth"], "'model' is to start from .*a.pth already"),
        (["guide={}/a.pth", "guide={}/a.pth"], "'guide' is to start from"),
        (["{}/c.pth"], "c.pth: no such file"),
        (["guide={}/c.pth"], "c.pth: no such file"),
        (["{}"], "is a folder"),
    ],
)
def test_what_cannot_be_meant_is_refused(files, values, message):
    with pytest.raises(UsageError, match=message):
        parse_init([value.format(files) for value in values])


def test_an_unknown_network_suggests_the_nearest():
    s2d = registry().find("methods", "s2d")
    assert network_of(s2d, "landmark") is s2d.networks["landmark"]
    with pytest.raises(UsageError, match="s2d: unknown network 'landmarks'; did you mean 'landmark'"):
        network_of(s2d, "landmarks")


def test_every_method_of_a_request_must_have_the_network(files):
    init = {"landmark": files / "a.pth"}
    check_request(Request("dfew-5fold", (Variant("s2d"),), init=init))
    with pytest.raises(UsageError, match="tsm: unknown network 'landmark'"):
        check_request(Request("dfew-5fold", (Variant("s2d"), Variant("tsm")), init=init))


def test_hashes_are_by_network_and_none_without_files(files):
    assert hash_files({"model": files / "a.pth"}) == {"model": hash_file(files / "a.pth")}
    assert hash_files({}) is None
