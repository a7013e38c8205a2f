"""A benchmark for dynamic facial expression recognition (DFER)."""

from typing import TYPE_CHECKING, Any

from benchmark.hookspecs import hookimpl

if TYPE_CHECKING:
    from benchmark.training.model import build_model, logits

__all__ = ["__version__", "build_model", "hookimpl", "logits"]
__version__ = "0.2.0.dev0"

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        # Only those who build a model pay for importing torch.
        if name in ("build_model", "logits"):
            from benchmark.training import model

            return getattr(model, name)
        raise AttributeError(f"module 'benchmark' has no attribute '{name}'")
