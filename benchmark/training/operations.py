"""How much a prediction computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.model import BaseModel
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def count_operations(model: BaseModel, batch: Mapping[str, Any]) -> int:
    """Floating-point operations that the prediction of a batch's first clip takes, a multiply-add counting as two."""
    # The counter does not know every device's fused attention; the plain one has the same operations everywhere.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model.test_step({key: values[:1] for key, values in batch.items()})
    return counter.get_total_flops()
