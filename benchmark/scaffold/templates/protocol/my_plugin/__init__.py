"""My plugin: protocols, as files beside this one."""

from pathlib import Path

from benchmark import hookimpl


@hookimpl
def benchmark_protocols() -> list[Path]:
    """The protocols of this package; each is called after its file."""
    return sorted(Path(__file__).parent.glob("*.yaml"))
