"""An executed notebook as a page: its texts, its code, and what the code printed and drew."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def page(path: Path) -> tuple[str, dict[str, bytes]]:
    """The notebook's Markdown, and its pictures by file name, to lie beside the page."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    pictures: dict[str, bytes] = {}
    parts: list[str] = []
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
        elif cell["cell_type"] == "code":
            parts.append(f"```python\n{source}\n```")
            parts += _outputs(cell, path.stem, pictures)
    return "\n\n".join(parts) + "\n", pictures


def _outputs(cell: dict[str, Any], name: str, pictures: dict[str, bytes]) -> Iterator[str]:
    for output in cell["outputs"]:
        data = output.get("data", {})
        if "image/png" in data:
            file = f"{name}-{len(pictures) + 1}.png"
            pictures[file] = base64.b64decode(data["image/png"])
            yield f"![{_alternative(cell)}]({file})"
        elif text := "".join(data.get("text/plain", output.get("text", ""))).rstrip():
            yield f"```text\n{text}\n```"


def _alternative(cell: dict[str, Any]) -> str:
    """What the picture shows, from the cell's first comment."""
    first = "".join(cell["source"]).partition("\n")[0]
    return first.removeprefix("# ") if first.startswith("# ") else "what the code above draws"
