"""What mkdocs calls: adds the pages that are made from the code, and resolves links to what is elsewhere."""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]

from mkdocs.plugins import get_plugin_logger  # noqa: E402
from mkdocs.structure.files import File, Files  # noqa: E402
from mkdocs.structure.nav import Link, Navigation  # noqa: E402
from mkdocs.structure.pages import Page  # noqa: E402

from docs.generate import api, commands, notebook, pictures, record  # noqa: E402
from docs.generate.tables import with_tables  # noqa: E402

PLUGINS = ROOT / "plugins/benchmark_plugins"
# A link in Markdown to a place that is not in another site: text, target.
LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?![a-z]+:|#)([^)\s]+)\)")
log = get_plugin_logger("docs")


def on_files(files: Files, config: Any) -> Files:
    """Add every page and picture that is made here."""
    made: dict[str, str | bytes] = {
        "reference/commands.md": commands.page(),
        "reference/api.md": api.page(),
        "reference/specs.md": api.specs(),
        "reference/plugins.md": api.for_plugins(),
        "reference/record.md": record.page(),
        **pictures.all_pictures(),
    }
    for path in sorted((ROOT / "docs/notebooks").glob("*.ipynb")):
        text, drawn = notebook.page(path)
        made |= {f"notebooks/{path.stem}.md": text, **{f"notebooks/{name}": data for name, data in drawn.items()}}
    for name, content in made.items():
        files.append(File.generated(config, name, content=content))
    for readme in (PLUGINS / "README.md", *sorted(PLUGINS.glob("*/README.md"))):
        page = "methods/index.md" if readme.parent == PLUGINS else f"methods/{readme.parent.name}.md"
        content = _methods_page(readme.read_text(encoding="utf-8"), readme)
        files.append(File.generated(config, page, content=content))
    for picture in PLUGINS.glob("*/*.svg"):
        name = f"methods/{picture.parent.name}-{picture.name}"
        files.append(File.generated(config, name, content=picture.read_bytes()))
    return files


def _methods_page(text: str, readme: Path) -> str:
    """A plugin's README as a page among its like: pictures and other READMEs lie elsewhere here."""
    text = re.sub(r"(!\[[^\]]*\])\(([\w-]+\.svg)\)", rf"\1({readme.parent.name}-\2)", text)
    text = re.sub(r"\]\(\.\./(\w+)/README\.md", r"](\1.md", text)
    return re.sub(r"\]\((\w+)/README\.md", r"](\1.md", text)


def on_nav(nav: Navigation, config: Any, files: Files) -> Navigation:
    """Link to the leaderboard's site, which is not made here."""
    if place := config["extra"]["leaderboard"]:
        nav.items.append(Link("Leaderboard", place))
    return nav


def on_page_markdown(markdown: str, page: Page, config: Any, files: Files) -> str:
    """Put tables in, and turn links that leave the pages into links to the repository."""
    own = page.file.src_uri
    source = _source(own)

    def resolved(match: re.Match[str]) -> str:
        text, (target, hash_mark, anchor) = match[1], match[2].partition("#")
        if files.get_file_from_path(posixpath.normpath(posixpath.join(posixpath.dirname(own), target))):
            return match[0]
        place = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if place.startswith("docs/") and not (ROOT / place).exists():
            return match[0]  # a page that is missing: mkdocs says so
        if not (ROOT / place).exists():
            log.warning(f"{own}: links to {target}, and {place} does not exist")
        repository = config["extra"]["repository"].rstrip("/")
        return f"[{text}]({repository}/blob/main/{place}{hash_mark}{anchor})" if repository else text

    return LINK.sub(resolved, with_tables(markdown))


def _source(page: str) -> str:
    """The file in the repository that a page comes from, by which its links are meant."""
    if not page.startswith("methods/"):
        return f"docs/{page}"
    name = Path(page).stem
    return "plugins/benchmark_plugins/" + ("README.md" if name == "index" else f"{name}/README.md")
