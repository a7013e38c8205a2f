"""The harness knows no method, augmentation or dataset by name: run by `make check`, in the project's folder.

    python .ci/check_names.py [FOLDER]

Prints every string in FOLDER (default: `benchmark`) that is the name of one, and exits 1 if there is any. Datasets are
named where they are described, in `datasets/layouts` and `datasets/synthetic`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmark.registry import registry

DESCRIBED = ("datasets/layouts", "datasets/synthetic")


def named(folder: Path) -> Iterator[str]:
    """Places where something is called by its name."""
    known = registry()
    names = {*known.methods, *known.augmentations, *known.datasets}
    for path in sorted(folder.rglob("*.py")):
        if path.relative_to(folder).as_posix().startswith(DESCRIBED):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and node.value in names:
                yield f"{path}:{node.lineno}: '{node.value}' is named; the harness must not know it"


if __name__ == "__main__":
    found = list(named(Path(sys.argv[1] if len(sys.argv) > 1 else "benchmark")))
    print("\n".join(found) or "no method, augmentation or dataset is named")
    sys.exit(1 if found else 0)
