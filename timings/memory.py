"""How much memory a training step takes, counted from shapes: nothing is computed, and no memory is needed for it.

Exactly counted are parameters, gradients, the optimiser's state, and every tensor that the forward pass keeps for the
backward pass. The latter grow in a straight line with the clips that are in memory at a time, which is checked. Not
counted is what an operation needs while it runs.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException, FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from timings.steps import Step, Training, alike, batch

# Of a card of 24 GB, without what CUDA itself and an operation's work space take.
CARD = 22 * 2**30
# Clips at a time for which activations are counted.
COUNTED = (2, 3, 4)


@dataclass(frozen=True)
class Memory:
    """Bytes of a training step: of the model with gradients and optimiser, of activations whatever the batch, per clip.

    operations: floating-point operations that a clip's training takes, a multiply-add counting as two.
    """

    model: int
    fixed: int
    clip: int
    operations: float

    def of(self, clips: int) -> int:
        """With so many clips in memory at a time."""
        return self.model + self.fixed + self.clip * clips

    @property
    def most_clips(self) -> int:
        """How many clips at a time fit on the card; 0: not even one."""
        return max((CARD - self.model - self.fixed) // self.clip, 0)


class NotLinear(Exception):
    """Activations do not grow in proportion to the clips."""


def memory_of(training: Training, step: Step) -> Memory:
    """Count. Raises NotLinear."""
    model = _model_bytes(step)
    counts = [_count(training, step, clips) for clips in COUNTED]
    kept = [each for each, _ in counts]
    clip, other = (after - before for before, after in itertools.pairwise(kept))
    if abs(clip - other) > 0.01 * clip:
        raise NotLinear(f"{training.name}: {COUNTED} clips keep {kept} bytes")
    operations = (counts[-1][1] - counts[0][1]) / (COUNTED[-1] - COUNTED[0])
    return Memory(model, max(kept[0] - COUNTED[0] * clip, 0), clip, operations)


def _model_bytes(step: Step) -> int:
    """Parameters and buffers, gradients, and what the optimiser keeps once it has made a step."""
    own = [*step.model.parameters(), *step.model.buffers()]
    learned = [each for each in step.model.parameters() if each.requires_grad]
    return sum(map(_bytes, own)) + (1 + _states(step.optimiser.optimizer)) * sum(map(_bytes, learned))


def _states(optimiser: torch.optim.Optimizer) -> int:
    """How many numbers the optimiser keeps for each parameter; what it keeps of one, it keeps of all."""
    probe = torch.nn.Parameter(torch.zeros(1000))
    probe.grad = torch.ones(1000)
    probing = alike(optimiser, [probe])
    probing.step()
    return sum(value.numel() for value in probing.state[probe].values() if isinstance(value, Tensor)) // 1000


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _count(training: Training, step: Step, clips: int) -> tuple[int, int]:
    """Bytes that a forward pass keeps for the backward pass, and operations of both."""
    try:
        with FakeTensorMode(allow_non_fake_inputs=True) as mode, _seen_as(step.model, mode):
            return _kept(training, step, clips)
    except (DataDependentOutputException, DynamicOutputShapeException):
        # A model that asks for a value, as S4D asks which tokens an expert serves, cannot do with shapes.
        return _kept(training, step, clips)


def _kept(training: Training, step: Step, clips: int) -> tuple[int, int]:
    inputs, samples = batch(training, step.recipe, clips, "cpu")
    known = {each.untyped_storage()._cdata for each in (*step.model.parameters(), *step.model.buffers())}
    kept: dict[int, Any] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in known:
            # Kept alive, so that no other storage gets its number.
            kept[storage._cdata] = storage
        return tensor

    with FlopCounterMode(display=False) as counter:
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            loss = step.loss(inputs, samples)
        loss.backward()
    for parameter in step.model.parameters():
        parameter.grad = None
    return sum(storage.nbytes() for storage in kept.values()), counter.get_total_flops()


@contextlib.contextmanager
def _seen_as(model: torch.nn.Module, mode: FakeTensorMode) -> Iterator[None]:
    """Inside, the model's parameters and buffers are shapes without values; afterwards they are themselves again."""
    own: list[tuple[dict[str, Any], str, Tensor]] = []
    for module in model.modules():
        for tensors in cast("tuple[dict[str, Any], ...]", (module._parameters, module._buffers)):
            own += [(tensors, name, tensor) for name, tensor in tensors.items() if tensor is not None]
    faked: dict[int, Any] = {}
    for tensors, name, tensor in own:
        tensors[name] = faked.setdefault(id(tensor), mode.from_tensor(tensor))
    try:
        yield
    finally:
        for tensors, name, tensor in own:
            tensors[name] = tensor
