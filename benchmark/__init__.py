"""A benchmark for dynamic facial expression recognition (DFER)."""

__version__ = "0.1.0"
