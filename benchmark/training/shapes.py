"""Shapes, told in a plugin's own terms: what each part of its model got, what it gave, and what it should give."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.errors import BenchmarkError
from benchmark.failures import one_line
from benchmark.fence import PluginFault
from benchmark.specs import Preset, Recipe
from benchmark.training.trial import Trial

# The parts of an MMAction2 recognizer, in the order in which a clip passes them.
PARTS = ("backbone", "neck", "cls_head")
CLIPS = 2


@dataclass
class Passed:
    """What a part of the model got, and what it gave; None where it gave nothing, because it failed."""

    part: str
    got: str
    gave: str | None = None

    def __str__(self) -> str:
        return f"{self.part} got {self.got} and " + (f"gave {self.gave}" if self.gave is not None else "failed")


@contextlib.contextmanager
def shapes_told(recipe: Recipe, preset: Preset, num_classes: int) -> Iterator[None]:
    """An error in the block that comes of the shapes in a model is told by them, as a PluginFault."""
    try:
        yield
    except (BenchmarkError, OSError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        fault = None
        # Asked only now, so that what works costs nothing; what cannot even be built failed for another reason.
        with contextlib.suppress(Exception):
            fault = shape_fault(Trial(recipe, preset, num_classes))
        if fault is None:
            raise
        raise PluginFault(fault) from error


def shape_fault(trial: Trial) -> str | None:
    """Why two clips of noise do not become two distributions over the classes, or give no loss; None if they do."""
    classes, passed = trial.num_classes, list[Passed]()
    with _watched(trial.model, passed):
        for what in (trial.scores, trial.loss):
            passed.clear()
            try:
                result = what(trial.clips(CLIPS))
            except PluginFault as error:
                return str(error)
            except Exception as error:
                return _told(trial, passed, f"{type(error).__name__}: {one_line(error)}")
            if what == trial.scores and result.shape != (CLIPS, classes):
                each = f"each clip got scores of shape {result.shape[1:]} and not ({classes},)"
                return _told(trial, passed, each)
    return None


@contextlib.contextmanager
def _watched(model: nn.Module, passed: list[Passed]) -> Iterator[None]:
    """Inside the block `passed` grows with every part of the model that is called."""
    handles = []
    for name in PARTS:
        part = getattr(model, name, None)
        if isinstance(part, nn.Module):
            title = f"{name} {type(part).__name__}"

            def before(_: nn.Module, inputs: tuple[Any, ...], title: str = title) -> None:
                passed.append(Passed(title, _shape(inputs[0]) if inputs else "nothing"))

            def after(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
                passed[-1].gave = _shape(output)

            handles += [part.register_forward_pre_hook(before), part.register_forward_hook(after)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _shape(value: Any) -> str:
    if isinstance(value, Tensor):
        return str(tuple(value.shape))
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {', '.join(map(_shape, value)) or 'nothing'}"
    return f"a {type(value).__name__}"


def _told(trial: Trial, passed: list[Passed], problem: str) -> str:
    """One line: what came in, what became of it part by part, what was wanted, and what went wrong."""
    letters = "B, T, 3, H, W" if trial.recipe.format_shape == "NCHW" else "B, views, 3, T, H, W"
    parts = "; ".join(map(str, passed)) or "no part of it was reached"
    return (
        f"clips come in as ({letters}) = {(CLIPS, *trial.shape)}: {parts}. The head must give logits "
        f"({CLIPS}, {trial.num_classes}), one row for each clip and one value for each class. {problem}"
    )
