"""The Python reference, from the sources: nothing is imported, so that no torch is needed to read about it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from docs.generate.docstrings import as_markdown

ROOT = Path(__file__).parents[2]
INTRODUCTION = """# Python

Everything that the commands do is a function, which prints nothing and raises exceptions. `dir(benchmark)` lists them,
and each is imported when it is first asked for. Errors are subclasses of `benchmark.errors.BenchmarkError`.

```python
import benchmark
from benchmark import Request, Variant

records = benchmark.run(Request("dfew-5fold", (Variant("tsm"), Variant("videomae")), preset="small"), demo=True)
runs = benchmark.load("runs")  # records, ids, probabilities, confusions and scores as arrays
found = benchmark.compare([run.path for run in runs])
benchmark.plot(runs[0].path, output="figures")
```

The [tour](../notebooks/tour.md) shows more of it, with what comes out.
"""
SPECS = """# Specs

The light values that a plugin hands over through its [hooks](api.md#hooks). A spec points at heavy code by its import
path, `package.module:name`; listing methods imports no torch.
"""
FOR_PLUGINS = """# For plugins

What a plugin uses by name besides its [specs](specs.md) and [hooks](api.md#hooks), and what must hold of it.

## The checks

`benchmark check-plugin NAME` runs these, and so do a plugin's own tests through `benchmark.testing`.

<!-- table: checks -->
"""
HOOKS = "benchmark/hookspecs.py"
# The modules that plugins use, with the files in which what they offer is defined, and its names there.
PLUGIN_MODULES: dict[str, dict[str, tuple[str, ...]]] = {
    "benchmark.testing": {"finding": ("checks",), "check": ("Check", "Result", "CheckFailed", "Skipped")},
    "benchmark.module_recipe": {"": ("module_recipe", "module_network")},
    "benchmark.trackers.curves": {"": ("Curves", "Curve", "Tracked")},
}


def page() -> str:
    """Everything in `benchmark.__all__`, in the order: functions, their arguments, the hooks."""
    places = _places()
    own = [(name, *_found(module, name)) for name, module in sorted(places.items())]
    lines = [INTRODUCTION, "## Functions", ""]
    for name, node, tree in own:
        if isinstance(node, ast.FunctionDef):
            lines += [_function(name, node), *_results(node, tree)]
    lines += ["## Arguments", ""]
    lines += [_class(node) for _, node, _ in own if isinstance(node, ast.ClassDef)]
    lines += ["## Hooks", "", "A plugin marks what it implements with `benchmark.hookimpl`.", ""]
    hooks = ast.parse((ROOT / HOOKS).read_text(encoding="utf-8"))
    lines += [_function(node.name, node) for node in hooks.body if isinstance(node, ast.FunctionDef)]
    return "\n".join(lines)


def specs() -> str:
    """The public classes of `benchmark.specs`."""
    tree = ast.parse((ROOT / "benchmark/specs.py").read_text(encoding="utf-8"))
    classes = [_class(node, level=2) for node in tree.body if isinstance(node, ast.ClassDef)]
    return "\n".join([SPECS, *classes])


def for_plugins() -> str:
    """What the modules that plugins use offer, each under its name."""
    lines = [FOR_PLUGINS]
    for module, files in PLUGIN_MODULES.items():
        path = ROOT / module.replace(".", "/")
        own = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        said = ast.get_docstring(ast.parse(own.read_text(encoding="utf-8"))) or ""
        lines += [f"## {module}", "", as_markdown(said, [])]
        for file, names in files.items():
            for name in names:
                node, _ = _found(f"{module}.{file}".removesuffix("."), name)
                lines.append(_function(name, node) if isinstance(node, ast.FunctionDef) else _class(node))
    return "\n".join(lines)


def _places() -> dict[str, str]:
    """The module of each public name, as `benchmark/__init__.py` has it."""
    tree = ast.parse((ROOT / "benchmark/__init__.py").read_text(encoding="utf-8"))
    (value,) = (
        node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_PLACES"
    )
    return ast.literal_eval(value)


def _found(module: str, name: str) -> tuple[ast.FunctionDef | ast.ClassDef, ast.Module]:
    tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
    (node,) = (n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name == name)
    return node, tree


def _results(function: ast.FunctionDef, tree: ast.Module) -> Iterator[str]:
    """The public classes of the function's own module: what it returns, and what that holds."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and node.name not in _places():
            yield _class(node, level=4)


def _function(name: str, node: ast.FunctionDef) -> str:
    names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    return "\n".join([f"### {name}", "", _code(_signature(node)), as_markdown(ast.get_docstring(node) or "", names)])


def _signature(node: ast.FunctionDef) -> str:
    """`name(arguments) -> result`, one argument a line where they do not fit into one."""
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    whole = f"{node.name}({ast.unparse(node.args)}){returns}"
    if len(whole) <= 88:
        return whole
    arguments = node.args
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    lines = [_argument(*pair) for pair in zip(plain, defaults, strict=True)]
    lines += ["*"] if arguments.kwonlyargs else []
    lines += [_argument(*pair) for pair in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    return "\n".join([f"{node.name}(", *(f"    {line}," for line in lines), f"){returns}"])


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    typed = argument.arg + (f": {ast.unparse(argument.annotation)}" if argument.annotation else "")
    return typed + (f" = {ast.unparse(default)}" if default is not None else "")


def _class(node: ast.ClassDef, level: int = 3) -> str:
    annotated = [item for item in node.body if isinstance(item, ast.AnnAssign)]
    fields = [item for item in annotated if not ast.unparse(item.target).startswith("_")]
    names = [ast.unparse(item.target) for item in fields]
    lines = [f"{'#' * level} {node.name}", ""]
    if fields:
        lines.append(_code("\n".join([f"class {node.name}:", *(f"    {_field(item)}" for item in fields)])))
    lines.append(as_markdown(ast.get_docstring(node) or "", names))
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and not item.name.startswith("_"):
            said = " ".join((ast.get_docstring(item) or "").split())
            is_property = any("property" in ast.unparse(decorator) for decorator in item.decorator_list)
            kind = item.name if is_property else f"{item.name}({_without_self(item)})"
            lines.append(f"* `{kind}`: {said}")
    return "\n".join([*lines, ""])


def _field(item: ast.AnnAssign) -> str:
    """A field as its class declares it; factories are shown by what they make."""
    text = ast.unparse(item)
    return text.replace("field(default_factory=dict)", "{}").replace("field(default_factory=list)", "[]")


def _without_self(node: ast.FunctionDef) -> str:
    return ", ".join(argument.arg for argument in (*node.args.args, *node.args.kwonlyargs) if argument.arg != "self")


def _code(text: str) -> str:
    return f"```python\n{text}\n```\n"
