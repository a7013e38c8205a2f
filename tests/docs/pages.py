"""The fenced blocks of the pages, and the commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
DOCUMENTS = [*PAGES, *sorted(ROOT.glob("*.md")), *sorted((ROOT / "plugins").rglob("README.md"))]
_FENCE = re.compile(
    r"^(?:<!-- not run: (?P<reason>[^\n]+) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S
)
LEFT_OUT = "..."
_ENDS = ("|", "&", "&&", ";", ">", ">>", "2>", "2>/dev/null")


@dataclass(frozen=True)
class Block:
    """One fenced block; `reason` says why a test does not run it, `file` which file it shows, if it is one."""

    language: str
    text: str
    reason: str
    file: str


def name(path: Path) -> str:
    """The page by its path in the repository."""
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path) -> list[Block]:
    """The page's blocks, in order. A first line `# some/file.py` makes one a file."""
    found = []
    for match in _FENCE.finditer(path.read_text(encoding="utf-8")):
        first = re.match(r"# ([\w./-]+\.\w+)\n", match["text"])
        found.append(Block(match["language"], match["text"], match["reason"] or "", first[1] if first else ""))
    return found


def commands(path: Path) -> Iterator[list[str]]:
    """The arguments of every `benchmark ...` in the page's sh blocks, also of one that is another command's argument.

    Not of those that end with `...`, because something is left out: they are `mentioned`.
    """
    for line in _lines(path):
        if not line.endswith(LEFT_OUT):
            yield from _in_line(re.sub(r"\$\w+", "1", line))


def _lines(path: Path) -> Iterator[str]:
    for block in blocks(path):
        if block.language == "sh":
            yield from block.text.replace("\\\n", " ").splitlines()


def _in_line(line: str) -> Iterator[list[str]]:
    words = shlex.split(line, comments=True)
    for word in words:
        if word.startswith("benchmark "):
            yield from _in_line(word)
    if words[:1] == ["benchmark"]:
        ends = [place for place, word in enumerate(words) if word in _ENDS]
        yield words[1 : ends[0] if ends else None]


def mentioned(path: Path) -> Iterator[str]:
    """Every `benchmark ...` that stands in a sentence or a table as code, or with something left out."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    yield from (" ".join(code.split()) for code in re.findall(r"`(benchmark [^`]+)`", text))
    yield from (line for line in _lines(path) if line.startswith("benchmark ") and line.endswith(LEFT_OUT))
