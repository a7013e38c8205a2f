"""The pages: each is built, linked and complete, and what they show is run from top to bottom."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import benchmark
from benchmark.cli.main import build_parser
from benchmark.cli.parser import commands_of
from benchmark.records import Record
from docs.generate import api, commands, notebook, record
from docs.generate.docstrings import as_markdown, explained
from tests.docs.pages import PAGES, ROOT, blocks, name

NOTEBOOK = ROOT / "docs/notebooks/tour.ipynb"
VARIABLE = re.compile(r"`(_?[A-Z][A-Z0-9_]+)`")


# Built.


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The pages, built as `make docs` does, with a torch that nobody may import."""
    pytest.importorskip("material")
    poisoned, out = tmp_path_factory.mktemp("poisoned"), tmp_path_factory.mktemp("site")
    (poisoned / "torch.py").write_text("raise SystemError('torch was imported')")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", out],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{poisoned}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out


def test_the_pages_are_built_without_a_warning(site):
    for page in PAGES:
        place = page.relative_to(ROOT / "docs").with_suffix("")
        assert (site / ("" if place.name == "index" else place) / "index.html").is_file()


def test_no_page_fetches_anything_from_elsewhere(site):
    fetched = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=[\"']?((?:https?:)?//[^\"' >]+)")
    for page in site.rglob("*.html"):
        outside = fetched.findall(page.read_text(encoding="utf-8"))
        assert not outside, f"{page.relative_to(site)}: {outside}"


def test_every_picture_of_a_page_is_there_and_is_described(site):
    for page in PAGES:
        for described, picture in re.findall(r"!\[([^\]]*)\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            assert described
            assert (site / page.relative_to(ROOT / "docs").parent / picture).is_file()


def test_a_link_to_a_file_that_is_gone_is_told(tmp_path):
    pytest.importorskip("material")
    from docs.generate import hook

    class Page:
        class file:
            src_uri = "index.md"

    class Files:
        def get_file_from_path(self, path):
            return None

    page: Any = Page()
    files: Any = Files()
    told = []
    hook.log.logger.addFilter(lambda line: told.append(line.getMessage()))
    text = "[a](../README.md#install) and [b](../no-such-file.txt)"
    config = {"extra": {"repository": "https://example.org/it"}}
    shown = hook.on_page_markdown(text, page, config, files)
    assert "https://example.org/it/blob/main/README.md#install" in shown
    assert [line for line in told if "no-such-file.txt" in line]
    assert hook.on_page_markdown("[a](../README.md)", page, {"extra": {"repository": ""}}, files) == "a"


# Complete.


def test_the_command_reference_has_every_command_and_option():
    page = commands.page()
    assert "| 130, 143 | interrupted" in page
    for command, parser in commands_of(build_parser()):
        section = page.partition(f"\n## {command}\n")[2].partition("\n## ")[0]
        for action in parser._actions:
            for option in set(action.option_strings) - {"-h", "--help", "--debug"}:
                assert f"`{option}" in section


def test_the_python_reference_has_every_public_name_and_what_it_takes():
    page = api.page()
    for public in set(benchmark.__all__) - {"__version__", "hookimpl"}:
        assert f"\n### {public}\n" in page
    assert "* `data_root`: where the datasets lie" in page
    assert "benchmark.hookimpl" in page


def test_the_record_reference_has_every_field_of_a_record():
    page = record.page()
    schema = Record.model_json_schema()
    for model in (schema, *schema["$defs"].values()):
        for field in model.get("properties", {}):
            assert f"| `{field}` |" in page


def test_a_docstring_becomes_paragraphs_and_a_list_of_its_names():
    docstring = "Add.\n\n    one, two: numbers,\n        both. three: left out. Raises Error.\n\n    It: is pure."
    shown = as_markdown(docstring, ["one", "two", "three"])
    assert shown.splitlines() == [
        *("Add.", ""),
        *("* `one`: numbers, both.", "* `two`: numbers, both.", "* `three`: left out.", ""),
        *("Raises Error.", "", "It: is pure."),
    ]
    assert explained("nothing is known here", []) == ("nothing is known here", {})


def _variables_in_code() -> set[str]:
    """Environment variables that the code names, or asks `os.environ` for by a literal or a constant of the file."""
    found = set()
    for folder in ("benchmark", "plugins"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            found |= set(re.findall(r"\bBENCHMARK_[A-Z_]*[A-Z]\b", text))
            if "environ" not in text and "getenv" not in text:
                continue
            tree = ast.parse(text)
            strings = {
                target.id: node.value.value
                for node in tree.body
                if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
                for target in node.targets
                if isinstance(target, ast.Name) and isinstance(node.value.value, str)
            }
            for node in ast.walk(tree):
                keys: list[ast.expr] = []
                if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
                    keys = [node.slice]
                elif isinstance(node, ast.Call) and ast.unparse(node.func).startswith(("os.environ.", "os.getenv")):
                    keys = node.args[:1]
                for key in keys:
                    if isinstance(key, ast.Constant):
                        found.add(key.value)
                    elif isinstance(key, ast.Name) and key.id in strings:
                        found.add(strings[key.id])
    return found


def test_the_page_of_environment_variables_has_those_of_the_code_and_no_other():
    page = (ROOT / "docs/environment.md").read_text(encoding="utf-8")
    documented = set(VARIABLE.findall(page))
    used = _variables_in_code()
    assert len(used) > 8
    assert used <= documented
    assert {variable for variable in documented if variable.startswith("BENCHMARK_")} <= used


# Run.


def _shim(folder: Path, program: str, line: str) -> None:
    path = folder / program
    path.write_text(f"#!/bin/bash\nexec {sys.executable} {line}\n")
    path.chmod(0o755)


SHOWN = [page for page in PAGES if any(block.language == "sh" and not block.reason for block in blocks(page))]


@pytest.mark.slow
@pytest.mark.parametrize("page", SHOWN, ids=name)
def test_everything_on_the_page_runs(page, tmp_path):
    """In an empty folder, in order; what needs real data says so, and is left out."""
    work, tools, site = tmp_path / "work", tmp_path / "bin", tmp_path / "site"
    for folder in (work, tools, site):
        folder.mkdir()
    _shim(tools, "benchmark", '-m benchmark "$@"')
    # Beside the environment instead of into it, and without asking an index for anything.
    _shim(tools, "pip", f'-m pip install -q --no-deps --no-build-isolation --target {site} "${{@: -1}}"')
    environment = {
        **os.environ,
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{site}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
    }
    for block in blocks(page):
        if block.file:
            (work / block.file).parent.mkdir(parents=True, exist_ok=True)
            (work / block.file).write_text(block.text)
        elif block.language == "sh" and not block.reason:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", block.text],
                cwd=work,
                env=environment,
                capture_output=True,
                text=True,
                timeout=3000,
                check=False,
            )
            assert done.returncode == 0, f"{block.text}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


# The notebook.


def _cells() -> list[dict]:
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]


def test_the_notebook_lies_here_executed_and_says_that_its_data_are_synthetic():
    code = [cell for cell in _cells() if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert not [output for cell in code for output in cell["outputs"] if output["output_type"] == "error"]
    assert "synthetic" in "".join(_cells()[0]["source"])
    assert str(ROOT) not in NOTEBOOK.read_text(encoding="utf-8")


def test_the_notebook_uses_public_names_alone():
    code = "\n".join("".join(cell["source"]) for cell in _cells() if cell["cell_type"] == "code")
    nodes = list(ast.walk(ast.parse("\n".join(line for line in code.splitlines() if not line.startswith("!")))))
    attributes = [node for node in nodes if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "benchmark"]
    imports = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module.startswith("benchmark")]
    assert attributes
    assert {node.attr for node in attributes} <= set(benchmark.__all__)
    assert {node.module for node in imports} <= {"benchmark"}
    assert {alias.name for node in imports for alias in node.names} <= set(benchmark.__all__)


def test_the_notebook_becomes_a_page_with_its_pictures():
    text, pictures = notebook.page(NOTEBOOK)
    assert text.startswith("# Tour")
    assert len(pictures) >= 2
    assert all(data.startswith(b"\x89PNG") for data in pictures.values())
    assert all(f"]({name})" in text for name in pictures)


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom(tmp_path):
    pytest.importorskip("nbclient")
    from docs.generate.execute import execute

    done = execute(NOTEBOOK, tmp_path)
    kinds = [[output["output_type"] for output in cell.get("outputs", ())] for cell in done.cells]
    assert kinds == [[output["output_type"] for output in cell.get("outputs", ())] for cell in _cells()]
