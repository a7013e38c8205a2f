"""Every command in the README, CONTRIBUTING, the plugins' READMEs and the pages can be typed as it stands there."""

from __future__ import annotations

import argparse
import re
import shlex

import pytest

from benchmark.cli.main import build_parser
from benchmark.cli.parser import commands_of
from benchmark.registry import registry
from tests.docs.pages import DOCUMENTS, ROOT, blocks, commands, mentioned, name

PARSER = build_parser()
COMMANDS = dict(commands_of(PARSER))
GIVEN = [
    pytest.param(path, line, id=f"{name(path)}: {' '.join(line)}") for path in DOCUMENTS for line in commands(path)
]
MENTIONED = [pytest.param(line, id=f"{name(path)}: {line}") for path in DOCUMENTS for line in mentioned(path)]


@pytest.mark.parametrize(("path", "arguments"), GIVEN)
def test_a_command_parses_and_names_what_exists(path, arguments):
    options = vars(PARSER.parse_args(arguments))
    own = path.read_text(encoding="utf-8")
    for option, kind in (("protocol", "protocols"), ("method", "methods")):
        given = options.get(option) or []
        for value in [given] if isinstance(given, str) else given:
            word = re.escape(value.removesuffix(".yaml"))
            # By a spec on the page, or by a package that a command on the page begins.
            defined = rf'(name[:=] ?"?|benchmark new \w+ ){word}\b'
            assert value in getattr(registry(), kind) or re.search(defined, own)


def _command(line: str) -> argparse.ArgumentParser | None:
    """The parser of the longest command that the line begins with."""
    words = line.split()[1:]
    known = [" ".join(words[:count]) for count in (2, 1) if " ".join(words[:count]) in COMMANDS]
    return COMMANDS[known[0]] if known else None


@pytest.mark.parametrize("line", MENTIONED)
def test_a_command_in_a_sentence_has_these_options(line):
    first = line.split()[1]
    groups = {command.split()[0] for command in COMMANDS}
    if first.startswith("-") or first == first.upper():  # benchmark --version, benchmark COMMAND --help
        return
    assert first in groups
    found = _command(line)
    options = set(re.findall(r"(?<!\S)--[a-z][\w-]*", line))
    if found is None:
        assert not options
        return
    known = set(found._option_string_actions)
    missing = {option for option in options if option not in known}
    assert not missing, f"{line}: no such option {missing}"


def test_the_readme_keeps_its_two_commands_on_top():
    first = re.search(r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)[1]
    assert [shlex.split(line, comments=True) for line in first.splitlines()] == [["make", "demo"], ["make", "test"]]


def test_a_mark_is_of_the_next_block_alone(tmp_path):
    page = tmp_path / "page.md"
    one, two, three = ("```sh\n" + word + "\n```\n" for word in ("one", "two", "three"))
    page.write_text(f"<!-- not run: a -->\n{one}\n{two}\n<!-- not run: b -->\n{three}")
    assert [(block.text, block.reason) for block in blocks(page)] == [("one\n", "a"), ("two\n", ""), ("three\n", "b")]
