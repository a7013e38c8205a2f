"""What lands in a user's environment."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    source = tmp_path_factory.mktemp("source")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    if not tracked:
        pytest.skip("not a git checkout")
    # A copy, because a build leaves folders behind, and stale ones end up in the wheel.
    for name in tracked:
        if not name.startswith("tests/") and (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = out.glob("*.whl")
    return path


def test_the_wheel_installs_two_packages_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"benchmark", "benchmark_plugins"}


def test_the_wheel_carries_every_data_file_and_every_plugin(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    carried = {
        f"benchmark/protocols/{path.relative_to(ROOT / 'protocols')}" for path in ROOT.glob("protocols/**/*.yaml")
    }
    carried |= {f"benchmark/protocols/facts/{path.name}" for path in ROOT.glob("protocols/facts/*.json")}
    carried |= {f"benchmark/leaderboard/site/{path.name}" for path in ROOT.glob("benchmark/leaderboard/site/*.*")}
    carried |= {f"benchmark/leaderboard/reported/{path.name}" for path in ROOT.glob("leaderboard/reported/*.yaml")}
    carried |= {f"benchmark/sweeps/{path.name}" for path in ROOT.glob("sweeps/*.yaml")}
    assert {
        "benchmark/protocols/maps/basic7.yaml",
        "benchmark/protocols/facts/dfew-5fold.json",
        "benchmark/leaderboard/reported/aen-table-1.yaml",
        "benchmark/sweeps/aen-table-1.yaml",
    } <= carried
    assert carried <= names
    for folder in (ROOT / "plugins/benchmark_plugins").iterdir():
        if (folder / "__init__.py").is_file():
            assert f"benchmark_plugins/{folder.name}/__init__.py" in names
            # Weights, figures, vocabularies and licences as well.
            data = {path.name for path in folder.iterdir() if path.is_file() and path.suffix not in (".py", ".pyc")}
            assert "README.md" in data
            assert {f"benchmark_plugins/{folder.name}/{name}" for name in data} <= names


def test_the_wheel_works_outside_the_checkout(wheel, tmp_path):
    """Unpacked ahead of the checkout's own packages, from another folder."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "sys.meta_path = [finder for finder in sys.meta_path if 'editable' not in repr(finder)]\n"
        "import benchmark; from benchmark.cli.main import main\n"
        "assert benchmark.__file__.startswith(sys.argv[1]), benchmark.__file__\n"
        "sys.exit(main(['show', 'dfew-5fold']) or main(['list', 'methods']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "site")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "former-dfer" in done.stdout


def test_the_requirements_pin_everything_exactly():
    for name in ("requirements.txt", "requirements-dev.txt", "requirements-docs.txt"):
        lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]
        assert all("==" in line for line in lines)
    names = [line.split("==")[0] for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line]
    assert "torch" not in names
    assert sum(name.startswith("opencv") for name in names) == 1
    assert sum("decord" in name for name in names) == 1


def test_the_wheel_carries_what_new_plugins_are_made_of(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    templates = ROOT / "benchmark/scaffold/templates"
    carried = {
        str(path.relative_to(ROOT))
        for path in templates.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert carried and carried <= names
