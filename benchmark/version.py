"""The one place of the version: the packaging, `--version` and records read it here."""

__version__ = "0.2.0.dev0"
