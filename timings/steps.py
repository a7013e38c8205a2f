"""One training step of a preset, as the scripts here measure it: forward, loss, backward, optimiser."""

from __future__ import annotations

import inspect
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from mmaction.structures import ActionDataSample
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from benchmark.plugin_functions import make_recipe
from benchmark.registry import registry
from benchmark.specs import Preset, Recipe
from benchmark.training.adapter import quiet_logger
from benchmark.training.computing import AUTOCAST, compute_in
from benchmark.training.model import build_recipe
from benchmark.training.optimizing import optimising
from benchmark.units.computing import Computing, Precision

CLASSES = 7
# Of another implementation's model, clips and targets.
Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Training:
    """A `paper` preset of a method, or of one of its pre-trainings (`stage`)."""

    method: str
    stage: str
    preset: Preset

    @property
    def name(self) -> str:
        """`mae-dfer`, or `mae-dfer/masked` for a pre-training."""
        return f"{self.method}/{self.stage}" if self.stage else self.method

    @property
    def recipe(self) -> Recipe:
        """How it is trained."""
        spec = registry().methods[self.method]
        return make_recipe(spec.pretrainings[self.stage].recipe if self.stage else spec.recipe, self.preset, CLASSES)

    @property
    def clips_per_step(self) -> int:
        """The paper's batch."""
        return self.preset.batch_size * self.preset.copies


def trainings(wanted: Sequence[str] = ()) -> Iterator[Training]:
    """Every `paper` preset there is, or those of the wanted methods and pre-trainings."""
    for name, spec in sorted(registry().methods.items()):
        presets = {"": spec.presets, **{stage: each.presets for stage, each in spec.pretrainings.items()}}
        for stage, found in presets.items():
            if "paper" in found:
                training = Training(name, stage, found["paper"])
                if not wanted or {name, training.name} & set(wanted):
                    yield training


class Step:
    """Trains this project's model of a preset by one batch (see `batch`), as the harness does it."""

    def __init__(self, training: Training, precision: Precision, device: str) -> None:
        quiet_logger()
        init_default_scope("mmaction")
        self.computing = Computing(precision=precision)
        self.recipe = training.recipe
        self.model = build_recipe(self.recipe, training.preset)
        self.model.init_weights()
        self.model.train()
        compute_in(self.model, self.computing)
        for module in self.model.modules():
            if hasattr(module, "set_epoch"):
                module.set_epoch(training.preset.epochs // 2, training.preset.epochs)
        self.move_to(device)

    def move_to(self, device: str) -> None:
        """Go on there, with the optimiser that the harness has there."""
        self.model.to(device)
        settings = optimising(self.recipe.optim_wrapper, self.computing, accelerated=device != "cpu")
        self.optimiser: OptimWrapper = build_optim_wrapper(self.model, settings)

    def loss(self, inputs: Tensor, samples: list[ActionDataSample]) -> Tensor:
        """The training's own loss."""
        return self.model.parse_losses(self.model(inputs, samples, mode="loss"))[0]

    def __call__(self, inputs: Tensor, samples: list[ActionDataSample]) -> None:
        """One step."""
        self.optimiser.update_params(self.loss(inputs, samples))


def alike(optimiser: torch.optim.Optimizer, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """One of the same kind, with the same settings, momentum and weight decay among them, for other parameters."""
    taken = inspect.signature(type(optimiser).__init__).parameters
    return type(optimiser)(parameters, **{key: value for key, value in optimiser.defaults.items() if key in taken})


class OtherStep:
    """Trains another implementation's model, autocast as a whole, with an optimiser of the same kind as `like`'s.

    Gradients are clipped where `like` clips them.
    """

    def __init__(self, model: nn.Module, loss: Loss, precision: Precision, device: str, like: Step) -> None:
        self.model = model.to(device)
        # Not chained: official models override it, and give nothing back.
        self.model.train()
        self.loss = loss
        self.autocast = partial(torch.autocast, device, AUTOCAST.get(precision), enabled=precision in AUTOCAST)
        self.scaler = torch.amp.GradScaler(device, enabled=precision == "fp16")
        self.optimiser = alike(like.optimiser.optimizer, self.model.parameters())
        self.clipping = like.optimiser.clip_grad_kwargs

    def __call__(self, clips: Tensor, targets: Tensor) -> None:
        """One step. clips: (B, 3, T, H, W). targets: (B, K)."""
        with self.autocast():
            loss = self.loss(self.model, clips, targets)
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        if self.clipping:
            self.scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.model.parameters(), **self.clipping)
        self.scaler.step(self.optimiser)
        self.scaler.update()


def batch(training: Training, recipe: Recipe, clips: int, device: str) -> tuple[Tensor, list[ActionDataSample]]:
    """Normalised noise as the model takes it, and samples with one class each."""
    frames, size = training.preset.sampling.frames, training.preset.size
    shape = (frames, 3, size, size) if recipe.format_shape == "NCHW" else (1, 3, frames, size, size)
    inputs = torch.rand(clips, *shape, generator=torch.Generator().manual_seed(0)).to(device)
    targets = torch.eye(CLASSES, device=device)[torch.arange(clips, device=device) % CLASSES]
    return inputs, [ActionDataSample(metainfo={"clip_id": str(n)}).set_gt_label(t) for n, t in enumerate(targets)]


def as_clips(inputs: Tensor) -> Tensor:
    """A batch as (B, 3, T, H, W), whichever way a model takes it."""
    return inputs[:, 0] if inputs.ndim == 6 else inputs.transpose(1, 2)


class Seconds(NamedTuple):
    """What a piece of work took by the clock; and of its own: on a CPU, the time that the processor spent on it."""

    clock: float
    own: float


def seconds_of(works: Sequence[Callable[[], Any]], times: int, device: str) -> list[list[Seconds]]:
    """What each took, all of them in turn, `times` times after one to warm up."""
    taken: list[list[Seconds]] = [[] for _ in works]
    for _ in range(1 + times):
        for seconds, work in zip(taken, works, strict=True):
            start = _now(device)
            work()
            seconds.append(Seconds(*(after - before for after, before in zip(_now(device), start, strict=True))))
    return [seconds[1:] for seconds in taken]


def median(taken: Iterable[Seconds]) -> float:
    """Of seconds by the clock."""
    return statistics.median(each.clock for each in taken)


def _now(device: str) -> Seconds:
    if device == "cpu":
        return Seconds(time.perf_counter(), time.process_time())
    torch.cuda.synchronize()
    return Seconds(time.perf_counter(), time.perf_counter())


def matmul_peak(precision: Precision, device: str) -> float:
    """Operations per second of a large product of matrices, the most that this machine can be asked for."""
    size = 2048 if device == "cpu" else 8192
    first, second = (
        torch.rand(size, size, device=device, dtype=AUTOCAST.get(precision, torch.float32)) for _ in range(2)
    )
    (seconds,) = seconds_of([lambda: first @ second], 5, device)
    return 2 * size**3 / median(seconds)
