"""`benchmark new`: a plugin's package, made from one in `templates/`, each of which is whole and works as it is.

Nothing in them is filled in but their name: `my-plugin`, and what follows from it.
"""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from benchmark.errors import UsageError
from benchmark.registry import registry

Kind = Literal["method", "augmentation", "metric", "dataset", "protocol", "tracker"]
KINDS: tuple[Kind, ...] = get_args(Kind)
TEMPLATES = Path(__file__).parent / "templates"
# What a method can be made from; a plain torch module needs another template.
SOURCES = ("torch",)
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Names:
    """A plugin's name in all its forms: `my-plugin`, `my_plugin`, `MyPlugin`, `My plugin`."""

    name: str

    @property
    def package(self) -> str:
        """The package to import."""
        return self.name.replace("-", "_")

    @property
    def forms(self) -> tuple[str, str, str, str]:
        """Name, package, class, title."""
        words = self.name.split("-")
        return self.name, self.package, "".join(map(str.capitalize, words)), " ".join(words).capitalize()


def new_package(kind: Kind, name: str, place: Path, source: str | None = None) -> list[Path]:
    """Write the package of a plugin called `name` to the folder of that name in `place`; the files that were written.

    source: what a method is made from, one of `SOURCES`. Raises UsageError for a name that cannot be used, and where
    the folder is there already.
    """
    check_name(name)
    folder = place / name
    if folder.exists() or folder.is_symlink():
        raise UsageError(f"{folder} is there already, and stays as it is: choose another name or another --path")
    template = TEMPLATES / (f"{source}_{kind}" if source else kind)
    written = []
    for path in sorted(template.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            target = folder / renamed(str(path.relative_to(template)), name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(renamed(path.read_text(encoding="utf-8"), name), encoding="utf-8")
            written.append(target)
    return written


def next_steps(folder: Path) -> list[str]:
    """The commands that the package's README begins with."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    return text.partition("```sh\n")[2].partition("```")[0].splitlines()


def renamed(text: str, name: str) -> str:
    """The text of a template with the plugin's name, in each of its forms."""
    for before, after in zip(Names("my-plugin").forms, Names(name).forms, strict=True):
        text = text.replace(before, after)
    return text


def check_name(name: str) -> None:
    """UsageError for a name that cannot be a plugin's, or that something has already."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"'{name}' cannot be a plugin's name: lower-case letters and digits in words joined by -, beginning with a "
            "letter, such as my-method"
        )
    package = Names(name).package
    if keyword.iskeyword(package) or keyword.issoftkeyword(package):
        raise UsageError(f"'{name}' is a word of Python's own, and its package could not be imported")
    found = registry()
    for kind in (f"{each}s" for each in KINDS):
        if name in getattr(found, kind):
            raise UsageError(f"'{name}' is taken: the benchmark has a {kind.removesuffix('s')} of that name")
    if package in sys.stdlib_module_names or importlib.util.find_spec(package) is not None:
        raise UsageError(
            f"'{name}' is taken: a package '{package}' can be imported already, and one would hide the other"
        )
