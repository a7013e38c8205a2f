"""Reading YAML of plain data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from benchmark.errors import IntegrityError
from benchmark.files import read_text

MOST_YAML = 2**18


def read_yaml(path: Path, links: bool = True) -> Any:
    """The YAML value in `path`, see `parse_yaml`; IntegrityError where there is none."""
    try:
        return parse_yaml(read_text(path, links, MOST_YAML))
    except RecursionError as error:
        raise IntegrityError(f"{path}: is nested too deeply") from error
    # Impossible dates and numbers are ValueErrors, some odd keys TypeErrors.
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise IntegrityError(f"{path}: is not valid YAML: {' '.join(str(error).split())}") from error


def parse_yaml(text: str) -> Any:
    """A YAML value of plain data; an alias (`*name`) is an error, because a few of them make gigabytes."""
    return yaml.load(text, Loader=_PlainLoader)


class _PlainLoader(yaml.SafeLoader):
    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise yaml.constructor.ConstructorError(
                None, None, f"aliases are not read; write out what *{event.anchor} stands for", event.start_mark
            )
        return super().compose_node(parent, index)
