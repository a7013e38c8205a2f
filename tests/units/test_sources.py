"""What of a plugin's code counts for a unit's identity."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from benchmark.units import sources
from benchmark.units.sources import code_hashes

RECIPE = '''
"""A recipe."""
from plugin_of_mine import helper
def recipe(preset, num_classes):
    """What it returns."""
    return helper.width  # a comment
'''


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """A package outside every distribution, which can be rewritten; returns the hashes of its code."""
    folder = tmp_path / "plugin_of_mine"
    folder.mkdir()
    (tmp_path / "elsewhere.py").write_text("DEPTH = 3\n")
    monkeypatch.syspath_prepend(tmp_path)

    def write(**files: str) -> dict[str, str]:
        for name, text in files.items():
            (folder / f"{name}.py").write_text(text)
        for name in [name for name in sys.modules if name.startswith("plugin_of_mine")]:
            del sys.modules[name]
        importlib.invalidate_caches()
        sources._source.cache_clear()
        return code_hashes(["plugin_of_mine.recipe"])

    write(__init__="", recipe=RECIPE, helper="width = 4\n", model="class Net:\n    depth = 2\n")
    return write


def test_the_named_module_its_package_and_what_they_import_count(plugin):
    found = plugin(helper="import elsewhere\nwidth = elsewhere.DEPTH\n")
    own = {f"plugin_of_mine.{name}" for name in ("recipe", "helper", "model")}
    assert set(found) == {"elsewhere", "plugin_of_mine", *own}


@pytest.mark.parametrize("name", ["recipe", "helper", "model"])
def test_a_changed_module_is_noticed_and_named(plugin, name):
    before = plugin()
    changed = {"recipe": RECIPE.replace("width", "width + 1"), "helper": "width = 5\n", "model": "class Net: ...\n"}
    after = plugin(**{name: changed[name]})
    assert [module for module in before if before[module] != after[module]] == [f"plugin_of_mine.{name}"]


def test_comments_docstrings_and_formatting_do_not_count(plugin):
    before = plugin()
    text = '"""Other words."""\nfrom plugin_of_mine import (\n    helper,\n)\n\n\ndef recipe(preset, num_classes):\n'
    assert plugin(recipe=text + "    return (helper.width)\n") == before


def test_a_string_that_is_no_docstring_counts(plugin):
    assert plugin(helper='width = 4\nname = "a"\n') != plugin(helper='width = 4\nname = "b"\n')


def test_relative_imports_and_imports_inside_functions_are_followed(plugin):
    found = plugin(helper="def width():\n    from . import deep\n    return deep\n", deep="D = 1\n", model="")
    assert "plugin_of_mine.deep" in found


def test_a_builtin_methods_shared_layers_count_and_the_harness_does_not():
    found = code_hashes(["benchmark_plugins.mae_dfer.recipe", "benchmark_plugins.mae_dfer.model"])
    assert "benchmark_plugins.layers.tokens" in found
    assert not any(name == "benchmark" or name.startswith("benchmark.") for name in found)
    assert not any(name.startswith(("torch", "mmengine", "mmaction")) for name in found)


def test_looking_at_code_runs_none_of_it(plugin):
    code = "raise SystemExit('imported')\n"
    found = plugin(__init__=code, helper=f"{code}class Deep: ...\n", recipe="from plugin_of_mine.helper import Deep\n")
    assert "plugin_of_mine.helper" in found


def test_looking_at_a_builtin_methods_code_imports_no_torch():
    code = (
        "import sys\nfrom benchmark.units.sources import code_hashes\n"
        "assert len(code_hashes(['benchmark_plugins.mae_dfer.recipe', 'benchmark_plugins.mae_dfer.model'])) > 5\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0


def test_a_neighbour_that_is_no_python_of_this_version_counts_by_its_bytes(plugin):
    before = plugin(old="print 1\n")
    assert set(before) == set(plugin()) and before != plugin(old="print 2\n")


def test_a_module_may_say_its_encoding(plugin, tmp_path):
    (tmp_path / "plugin_of_mine" / "latin.py").write_bytes("# coding: latin-1\nname = 'é'\n".encode("latin-1"))
    assert "plugin_of_mine.latin" in plugin()


def test_code_that_lies_elsewhere_is_not_looked_at(plugin, tmp_path):
    before = plugin()
    copy = tmp_path / "a_copy_of_the_plugin"
    copy.mkdir()
    for path in (tmp_path / "plugin_of_mine").glob("*.py"):
        (copy / path.name).write_text(path.read_text().replace("4", "5"))
    assert plugin() == before


def test_modules_in_folders_without_an_init_count_although_nothing_of_them_was_imported(tmp_path, monkeypatch):
    inner = tmp_path / "bare_folder/bare_inside"
    inner.mkdir(parents=True)
    (inner / "model.py").write_text("width = 4\n")
    (inner / "parts.py").write_text("depth = 2\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = code_hashes(["bare_folder.bare_inside.model"])
    assert found.keys() == {"bare_folder.bare_inside.model", "bare_folder.bare_inside.parts"}


def test_what_a_plugin_uses_of_the_harness_is_not_its_code(plugin):
    assert code_hashes(["plugin_of_mine.recipe", "benchmark.module_recipe"]) == code_hashes(["plugin_of_mine.recipe"])
