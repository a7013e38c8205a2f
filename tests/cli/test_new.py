"""`benchmark new`: packages that are whole, and nothing overwritten."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib

import pytest

from benchmark.errors import UsageError
from benchmark.registry import registry
from benchmark.scaffold import KINDS, TEMPLATES, check_name, new_package, next_steps
from tests.conftest import benchmark

TEMPLATE_NAMES = ("My plugin", "my-plugin", "my_plugin", "MyPlugin")
PACKAGES = [*((kind, None) for kind in KINDS), ("method", "torch")]


@pytest.fixture(params=PACKAGES, ids=lambda package: "-".join(filter(None, package)))
def package(request, tmp_path):
    kind, source = request.param
    new_package(kind, "face-net", tmp_path, source)
    return tmp_path / "face-net"


def test_every_file_has_the_plugins_name_and_none_the_templates(package):
    texts = {path: path.read_text() for path in package.rglob("*") if path.is_file()}
    assert not [path for path in texts for name in TEMPLATE_NAMES if name in texts[path] or name in str(path)]
    for path in texts:
        if path.suffix == ".py":
            ast.parse(texts[path])
    project = tomllib.loads(texts[package / "pyproject.toml"])["project"]
    assert project["entry-points"]["benchmark.plugins"] == {"face-net": "face_net"}
    assert {"README.md", "pyproject.toml", "face_net", "tests"} == {path.name for path in package.iterdir()}


def test_a_package_gives_its_specs_without_importing_torch(package):
    code = (
        "import sys, face_net\n"
        "hooks = [name for name in dir(face_net) if name.startswith('benchmark_')]\n"
        "print([value.name for name in hooks for value in getattr(face_net, name)()], 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=package, capture_output=True, text=True, check=False)
    assert "face-net" in done.stdout and "False" in done.stdout, done.stderr


def test_its_next_steps_are_those_of_its_readme(package):
    steps = next_steps(package)
    assert steps[:2] == ["pip install --no-deps -e .", "benchmark check-plugin face-net"]
    assert any(step.startswith("benchmark run --protocol") and "--demo" in step for step in steps)


def test_what_is_written_and_what_comes_next_is_printed(tmp_path):
    done = benchmark("new", "method", "face-net", "--from", "torch", "--path", tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path}/face-net/face_net/model.py" in done.stdout
    assert "benchmark run --protocol dfew-5fold --method face-net --demo --folds 1" in done.stdout


def test_a_folder_that_is_there_stays_as_it_is(tmp_path):
    (tmp_path / "face-net").mkdir()
    done = benchmark("new", "method", "face-net", "--path", tmp_path)
    assert done.returncode == 2
    assert "is there already" in done.stderr
    assert not list((tmp_path / "face-net").iterdir())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Face", "cannot be a plugin's name"),
        ("3d-net", "cannot be a plugin's name"),
        ("face_net", "cannot be a plugin's name"),
        ("../x", "cannot be a plugin's name"),
        ("a--b", "cannot be a plugin's name"),
        ("", "cannot be a plugin's name"),
        ("class", "word of Python's own"),
        ("match", "word of Python's own"),
        ("json", "a package 'json' can be imported already"),
        ("numpy", "a package 'numpy' can be imported already"),
        (sorted(registry().methods)[0], "has a method of that name"),
        (min(registry().protocols.keys() - registry().datasets.keys()), "has a protocol of that name"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused_with_the_reason(name, reason):
    with pytest.raises(UsageError, match=reason):
        check_name(name)


def test_only_a_method_is_made_from_a_torch_module(tmp_path):
    done = benchmark("new", "dataset", "face-net", "--from", "torch", "--path", tmp_path)
    assert done.returncode == 2
    assert "--from belongs to a method" in done.stderr


def test_what_is_made_from_a_torch_module_is_one_short_file_without_a_word_of_mmengine():
    folder = TEMPLATES / "torch_method/my_plugin"
    model = (folder / "model.py").read_text()
    assert len(model.splitlines()) < 60
    for path in folder.glob("*.py"):
        imported = [
            node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, (ast.Import, ast.ImportFrom))
        ]
        assert not [line for line in map(ast.unparse, imported) if "mm" in line]
