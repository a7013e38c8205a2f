"""The optimiser's step: without waiting for the device, fused where that is faster, with scaled losses in float16."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import Tensor

from benchmark.errors import UsageError
from benchmark.units.computing import Computing

# MMEngine's, which are replaced; any other is a plugin's own.
_PLAIN = ("OptimWrapper", "AmpOptimWrapper")
_FUSED = ("SGD", "Adam", "AdamW")


def optimising(config: Mapping[str, Any], computing: Computing, accelerated: bool) -> dict[str, Any]:
    """A recipe's `optim_wrapper` for the device and the precision.

    On an accelerator one kernel updates all weights, if the optimiser has one; on a processor that would change last
    digits. Raises UsageError for float16 under a wrapper of the recipe's own, which scales no losses.
    """
    optimizer = dict(config["optimizer"])
    if accelerated and optimizer["type"] in _FUSED and not {"fused", "foreach"} & optimizer.keys():
        optimizer["fused"] = True
    kind = config.get("type", _PLAIN[0])
    if kind in _PLAIN:
        return {**config, "type": "StepWrapper", "optimizer": optimizer, "scaled": computing.precision == "fp16"}
    if computing.precision == "fp16":
        raise UsageError(f"--precision fp16: the recipe's optimiser wrapper, {kind}, does not scale losses; use bf16")
    return {**config, "optimizer": optimizer}


@OPTIM_WRAPPERS.register_module()
class StepWrapper(OptimWrapper):
    """MMEngine's wrapper, which would read the norm of the gradients in every step, without that.

    scaled: multiply the loss, so that gradients in float16 do not vanish, and leave out steps in which they overflowed.
    The factor follows the training and is part of the state.
    """

    def __init__(self, scaled: bool = False, **options: Any) -> None:
        super().__init__(**options)
        device = next(each for group in self.optimizer.param_groups for each in group["params"]).device.type
        # Not enabled, it hands on the loss and the step as they are.
        self.scaler = torch.amp.GradScaler(device if scaled else "cpu", enabled=scaled)

    def backward(self, loss: Tensor, **options: Any) -> None:
        """Add the gradients of a loss."""
        super().backward(self.scaler.scale(loss), **options)

    def step(self, **options: Any) -> None:
        """Clip the gradients by their true size, and change the weights."""
        if self.clip_grad_kwargs:
            self.scaler.unscale_(self.optimizer)
            self._clip_grad()
        self.scaler.step(self.optimizer, **options)
        self.scaler.update()

    def _clip_grad(self) -> None:
        groups = self.optimizer.param_groups
        parameters = [each for group in groups for each in group["params"] if each.grad is not None]
        if parameters:
            self.clip_func(parameters, **self.clip_grad_kwargs)

    def state_dict(self) -> dict[str, Any]:
        """The optimiser's, and that of the factor."""
        return {**super().state_dict(), **({"scaler": self.scaler.state_dict()} if self.scaler.is_enabled() else {})}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        state = dict(state_dict)
        if (scaler := state.pop("scaler", None)) is not None:
            self.scaler.load_state_dict(scaler)
        super().load_state_dict(state)
