"""A benchmark for dynamic facial expression recognition (DFER)."""

import os
from typing import TYPE_CHECKING, Any

from benchmark.hookspecs import hookimpl

if TYPE_CHECKING:
    from benchmark.training.model import build_model, logits

__all__ = ["__version__", "build_model", "hookimpl", "logits"]
__version__ = "0.2.0.dev0"

# OpenCV asks once, when it is first imported, how many pixels it may decode: a small file can promise billions.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**26))

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        # Only those who build a model pay for importing torch.
        if name in ("build_model", "logits"):
            from benchmark.training import model

            return getattr(model, name)
        raise AttributeError(f"module 'benchmark' has no attribute '{name}'")
