"""Read other people's weight files without running anything that is in them, and load them into a model."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.serialization import add_safe_globals, clear_safe_globals, get_safe_globals

from benchmark.errors import EnvironmentProblem, IntegrityError

# Where training scripts put the state dict inside what they save, outermost first.
_WRAPPERS = ("state_dict", "model_state_dict", "model", "module")
_HEAD = "cls_head."

# What training scripts are known to save beside the weights. None of it is needed, so none of it is ever created:
# each of these names stands for `_Ignored`, not for the class or function it names.
_IGNORED_GLOBALS = (
    "__main__.RecorderMeter",  # Former-DFER
    "argparse.Namespace",
    "pathlib.PosixPath",
    "pathlib.WindowsPath",
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
    "numpy.ndarray",
    "numpy.dtype",
    *(
        f"numpy.dtypes.{name}DType"
        for name in ("Bool", "Int32", "Int64", "UInt8", "UInt32", "UInt64", "Float16", "Float32", "Float64")
    ),
)


class _Ignored:
    """Takes the place of an object that came with the weights: accepts and forgets whatever made it up."""

    def __new__(cls, *_: Any, **__: Any) -> _Ignored:
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...


@dataclass(frozen=True)
class LoadReport:
    """What did not go one to one from a file into a model, by tensor name.

    missing: the model's, not in the file. unexpected: the file's, not in the model. reinitialised: of the classifier,
    in both, but for another number of classes: left at their fresh initialisation.
    """

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reinitialised: tuple[str, ...]


def read_weights(path: Path) -> dict[str, Tensor]:
    """The named tensors in a `.safetensors` file or a file written by `torch.save`, on the CPU.

    Unwraps what training scripts wrap around them (`state_dict`, `model`, ...) and removes the prefix `module.` of
    DataParallel. Raises EnvironmentProblem when there is no such file, IntegrityError when the file is damaged, holds
    no tensors, or would have to run code that is not on a short list.
    """
    path = Path(path)
    if not path.is_file():
        raise EnvironmentProblem(f"no weight file at {path}; check the path, or download the file first")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    while isinstance(content, Mapping) and (inner := _wrapped(content)) is not None:
        content = inner
    found = content.items() if isinstance(content, Mapping) else ()
    state = {key: value.detach() for key, value in found if isinstance(key, str) and isinstance(value, Tensor)}
    if not state:
        raise IntegrityError(
            f"{path} holds no named tensors; expected a state dict, or a dict with one under {_names(_WRAPPERS)}"
        )
    if all(key.startswith("module.") for key in state):
        state = {key.removeprefix("module."): tensor for key, tensor in state.items()}
    return state


def load_into(
    model: nn.Module,
    state: Mapping[str, Tensor],
    method_keys: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]] | None = None,
) -> LoadReport:
    """Copy the tensors of `state` into `model`, in place.

    method_keys: the method's renaming of official keys, used when it makes more of the file fit than no renaming does.
    Classifier tensors (`cls_head.*`) of another shape are left alone and reported. Raises IntegrityError when any
    other tensor has another shape, or when nothing fits at all.
    """
    own = model.state_dict()
    if method_keys is not None:
        state = max(state, method_keys(state), key=lambda names: len(own.keys() & names.keys()))
    if not own.keys() & state.keys():
        raise IntegrityError(
            f"these weights are of another model: not one of their {len(state)} tensors ({_names(state)}) "
            f"is among the model's ({_names(own)})"
        )
    other_shape = [key for key in own if key in state and own[key].shape != state[key].shape]
    body = [key for key in other_shape if not key.startswith(_HEAD)]
    if body:
        key = body[0]
        raise IntegrityError(
            f"these weights are of another size of the model: {key} is {tuple(state[key].shape)} in the file and "
            f"{tuple(own[key].shape)} in the model ({len(body)} tensors differ); choose the preset they were made with"
        )
    model.load_state_dict({key: tensor for key, tensor in state.items() if key not in other_shape}, strict=False)
    return LoadReport(
        missing=tuple(key for key in own if key not in state),
        unexpected=tuple(key for key in state if key not in own),
        reinitialised=tuple(other_shape),
    )


def _wrapped(content: Mapping[Any, Any]) -> Mapping[Any, Any] | None:
    return next((content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)), None)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from error


def _read_torch(path: Path) -> Any:
    try:
        with _only_ignored_globals():
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if name := _refused_global(str(error)):
            raise IntegrityError(
                f"{path} was not loaded: reading it would run '{name}', which could do anything. If you trust where "
                "the file comes from, load it on a machine that has nothing to lose and save only its state dict with "
                "safetensors.torch.save_file; a .safetensors file is read here as it is"
            ) from error
        raise _damaged(path, error) from error
    # A file cut short or overwritten can fail anywhere in torch's reader, in as many ways.
    except (RuntimeError, EOFError, ValueError, KeyError, IndexError, TypeError, AttributeError, OSError) as error:
        raise _damaged(path, error) from error


@contextmanager
def _only_ignored_globals() -> Iterator[None]:
    """Allow exactly our names while reading, whatever this process allows for the checkpoints it writes itself."""
    before = get_safe_globals()
    clear_safe_globals()
    try:
        add_safe_globals([(_Ignored, name) for name in _IGNORED_GLOBALS])
        yield
    finally:
        clear_safe_globals()
        add_safe_globals(before)


def _refused_global(message: str) -> str | None:
    match = re.search(r"GLOBAL (\S+)|for unrecognized function (.+?)(?: which belongs|$)", message, re.MULTILINE)
    return match and (match[1] or match[2])


def _damaged(path: Path, error: Exception) -> IntegrityError:
    # torch's own message begins by advising to switch the safety off; what happened comes after that.
    _, _, reason = str(error).rpartition("WeightsUnpickler error:")
    reason = (reason.strip().splitlines() or [type(error).__name__])[0]
    return IntegrityError(f"{path} cannot be read as a weight file ({reason}); it may be damaged: get it again")


def _names(keys: Any) -> str:
    names = list(keys)
    return ", ".join(names[:4]) + (" ..." if len(names) > 4 else "")
