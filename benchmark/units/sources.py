"""The code behind a plugin, as hashes of its modules: what a unit's identity says of it.

Two modules are the same if they do the same: comments, docstrings and formatting do not count, and neither does the
version of Python that reads them.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

# Code of the harness is not a plugin's; `IDENTITY_VERSION` stands for it.
HARNESS = "benchmark"


def code_hashes(modules: Iterable[str]) -> dict[str, str]:
    """SHA-256 in hex, by module, of the code of `modules`, of their packages, and of all that these import.

    Followed are imports, wherever in a module they stand, of the plugin's own top-level packages and of code that was
    not installed, such as a script beside it. Data files and compiled modules are not looked at.
    """
    found: dict[str, str] = {}
    foreign = [module for module in modules if module.partition(".")[0] != HARNESS]
    start = {name for module in foreign for name in (module, *_siblings(module))}
    own = {name.partition(".")[0] for name in start}
    waiting = sorted(start)
    while waiting:
        name = waiting.pop()
        path = _source(name)
        if name in found or path is None:
            continue
        content = path.read_bytes()
        try:
            tree = ast.parse(content)
        except (SyntaxError, ValueError):
            # Not Python of this version: whoever imports it will say so; here its bytes stand for it.
            found[name] = hashlib.sha256(content).hexdigest()
            continue
        found[name] = hashlib.sha256("\n".join(_facts(tree)).encode()).hexdigest()
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        waiting += [other for other in _imported(tree, package) if _belongs(other, own)]
    return dict(sorted(found.items()))


def _siblings(module: str) -> Iterator[str]:
    """The other modules of the package that holds `module`; the package itself only says what there is."""
    package = module.rpartition(".")[0]
    spec = _spec(package) if package else None
    for place in (spec.submodule_search_locations or ()) if spec else ():
        yield from (f"{package}.{found.name}" for found in pkgutil.iter_modules([place]) if not found.ispkg)


def _imported(tree: ast.AST, package: str) -> Iterator[str]:
    """Every module that an import statement may mean."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            yield base
            # A name may be a module of the package.
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _belongs(module: str, own: set[str]) -> bool:
    top = module.partition(".")[0]
    if top in own or top == HARNESS or top in sys.stdlib_module_names:
        return top in own and top != HARNESS
    path = _source(top)
    return path is not None and not {"site-packages", "dist-packages"} & set(path.parts)


def _spec(module: str) -> ModuleSpec | None:
    """Where a module would be imported from; nothing is imported for it, neither its packages nor a plugin's torch."""
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        # By its own name alone: a folder without `__init__.py` would else ask its parent, which must be imported.
        spec = PathFinder.find_spec(part, list(spec.submodule_search_locations))
    return spec


@functools.cache
def _source(module: str) -> Path | None:
    """The file of a module's source, or None if it has none."""
    spec = _spec(module)
    origin = Path(spec.origin) if spec and spec.origin else None
    return origin if origin and origin.suffix == ".py" and origin.is_file() else None


def _facts(node: ast.AST) -> Iterator[str]:
    """A syntax tree as lines, without docstrings, and without what other versions of Python leave out or add."""
    yield type(node).__name__
    for name, value in ast.iter_fields(node):
        if name == "body" and isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            value = _without_docstring(value)
        if value is None or value == [] or name in ("ctx", "kind", "type_comment"):
            continue
        yield f".{name}"
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, ast.AST):
                yield from _facts(item)
            else:
                yield repr(item)
    yield "end"


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0] if body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return body[1:]
    return body
