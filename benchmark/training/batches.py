"""Batches of clips: put together by whoever reads the clips, in as few tensors as possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmaction.structures import ActionDataSample
from mmengine.registry import FUNCTIONS
from torch import Tensor


class Samples(list[ActionDataSample]):
    """What a batch's clips are labelled with; between processes and devices it moves as one tensor for each field.

    Every tensor that leaves a process takes an open file, of which there are often no more than 1,024, and every copy
    to an accelerator a call.
    """

    def to(self, device: torch.device) -> Samples:
        """New samples on a device."""
        metainfo, fields = self._stacked()
        return _samples(metainfo, {name: values.to(device, non_blocking=True) for name, values in fields.items()})

    def pin_memory(self) -> Samples:
        """Itself: what is so small is copied faster than it is pinned."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _samples, self._stacked()

    def _stacked(self) -> tuple[list[dict[str, Any]], dict[str, Tensor]]:
        fields = {name: torch.stack([getattr(sample, name) for sample in self]) for name, _ in self[0].items()}
        return [sample.metainfo for sample in self], fields


def _samples(metainfo: Sequence[dict[str, Any]], fields: Mapping[str, Tensor]) -> Samples:
    samples = Samples(ActionDataSample(metainfo=each) for each in metainfo)
    for name, values in fields.items():
        for sample, value in zip(samples, values.unbind(), strict=True):
            sample.set_field(value, name)
    return samples


@FUNCTIONS.register_module()
def collate_clips(clips: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Clips as `PackActionInputs` leaves them, `inputs` (...) and `data_samples`: as (B, ...) and `Samples`."""
    # Not torch's default_collate, which puts them together in another order of strides in a process that reads for
    # another: a convolution's last digits depend on these.
    inputs = torch.stack([clip["inputs"] for clip in clips])
    return {"inputs": inputs, "data_samples": Samples(clip["data_samples"] for clip in clips)}
