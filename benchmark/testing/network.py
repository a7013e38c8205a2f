"""No network: whatever a plugin's Python code tries to reach is refused, and remembered."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
_attempts: list[str] | None = None
_installed = False


class NoNetwork(ConnectionRefusedError):
    """Raised in place of a connection."""


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if _attempts is None or not event.startswith("socket."):
        return
    if event in _LOOKUPS:
        target = str(arguments[0])
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[-1], tuple):
        target = ":".join(map(str, arguments[-1][:2]))
    else:
        return
    _attempts.append(target)
    raise NoNetwork(f"no connection to {target}: the network is closed")


@contextlib.contextmanager
def without_network() -> Iterator[list[str]]:
    """Close the network to this process until the block ends; gives what was tried, also by code that caught the error.

    Sockets of the file system stay open, because processes talk by them.
    """
    global _attempts, _installed
    if not _installed:
        # There is no way to remove an audit hook again.
        sys.addaudithook(_watch)
        _installed = True
    _attempts = tried = list[str]()
    try:
        yield tried
    finally:
        _attempts = None
