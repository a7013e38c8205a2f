"""A benchmark for dynamic facial expression recognition (DFER)."""

from benchmark.hookspecs import hookimpl

__all__ = ["__version__", "hookimpl"]
__version__ = "0.1.0"
