"""Docstrings as Markdown: paragraphs, in which `name: what it is` of a known name becomes an item of a list."""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection

CODE = "    "


def paragraphs(docstring: str) -> list[str]:
    """The docstring's paragraphs, each on one line; one that is indented is code, and stays as it is."""
    parts = [part for part in inspect.cleandoc(docstring).split("\n\n") if part.strip()]
    return [part if part.startswith(CODE) else " ".join(part.split()) for part in parts]


def explained(text: str, names: Collection[str]) -> tuple[str, dict[str, str]]:
    """What a paragraph says, and what it says of each of the `names`: `first, second: what they are.`"""
    if not names:
        return text, {}
    known = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    parts = re.split(rf"(?:(?<=^)|(?<=[.;)] ))((?:{known})(?:, (?:{known}))*): ", text)
    told = {name: said.strip() for key, said in zip(parts[1::2], parts[2::2], strict=True) for name in key.split(", ")}
    return parts[0].strip(), told


def _without_raises(text: str) -> tuple[str, str]:
    """A paragraph, and the sentence about what is raised that may stand at its end."""
    before, raises, after = text.partition(" Raises ")
    return before, raises.strip() + " " + after if raises else ""


def as_markdown(docstring: str, names: Collection[str]) -> str:
    """The whole docstring: plain paragraphs, and below each a list of what it says of `names`."""
    lines: list[str] = []
    for paragraph in paragraphs(docstring):
        if paragraph.startswith(CODE):
            lines += [paragraph, ""]
            continue
        text, raises = _without_raises(paragraph)
        plain, told = explained(text, names)
        lines += [plain, ""] if plain else []
        lines += [*(f"* `{name}`: {said}" for name, said in told.items()), ""] if told else []
        lines += [raises, ""] if raises else []
    return "\n".join(lines)


def cell(text: str) -> str:
    """The text in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")
