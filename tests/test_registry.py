import sys
import textwrap

import pytest

from benchmark.errors import UsageError
from benchmark.registry import load_registry


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs a third-party plugin: a module and the entry point that names it."""

    def write(name: str, code: str) -> None:
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(code))
        info = tmp_path / f"{name}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[benchmark.plugins]\n{name} = {name}\n")

    monkeypatch.syspath_prepend(str(tmp_path))
    yield write
    for module in [m for m in sys.modules if m.startswith("dfer_")]:
        del sys.modules[module]


METRIC = """
    from benchmark import hookimpl
    from benchmark.specs import MetricSpec

    @hookimpl
    def benchmark_metrics():
        return [MetricSpec(name={name!r}, title="T", citation="C", compute="m:f")]
"""


def test_built_ins_load_without_problems():
    registry = load_registry()
    assert registry.problems == []
    assert {"tsm", "videomae", "former-dfer"} <= set(registry.methods)
    assert "midas" in registry.augmentations
    assert "dfew-5fold" in registry.protocols


def test_a_third_party_plugin_is_found_by_its_entry_point(install):
    install("dfer_good", METRIC.format(name="kappa"))
    registry = load_registry()
    assert registry.find("metrics", "kappa").title == "T"
    assert registry.origin["metrics", "kappa"] == "dfer_good"


def test_a_broken_plugin_is_named_and_stops_no_other(install):
    install("dfer_broken", "raise ImportError('needs a newer torch')")
    install("dfer_good", METRIC.format(name="kappa"))
    registry = load_registry()
    assert "kappa" in registry.metrics
    (problem,) = registry.problems
    assert "dfer_broken" in problem
    assert "needs a newer torch" in problem


def test_a_plugin_that_fails_inside_a_hook_is_named(install):
    install(
        "dfer_late",
        """
        from benchmark import hookimpl

        @hookimpl
        def benchmark_methods():
            raise RuntimeError("no licence file")
        """,
    )
    (problem,) = load_registry().problems
    assert "dfer_late" in problem
    assert "benchmark_methods failed: RuntimeError: no licence file" in problem


def test_a_misspelt_hook_is_reported(install):
    install(
        "dfer_typo",
        """
        from benchmark import hookimpl

        @hookimpl
        def benchmark_metods():
            return []
        """,
    )
    (problem,) = load_registry().problems
    assert "dfer_typo" in problem
    assert "benchmark_metods" in problem


def test_a_built_in_wins_a_name_clash_and_the_clash_is_reported(install):
    install("dfer_clash", METRIC.format(name="uar"))
    registry = load_registry()
    assert registry.find("metrics", "uar").compute == "benchmark.scoring.metrics:uar"
    (problem,) = registry.problems
    assert "metric 'uar' is already provided by 'built-in'" in problem


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(UsageError, match=r"unknown method 'tms'; did you mean 'tsm'\?"):
        load_registry().find("methods", "tms")
