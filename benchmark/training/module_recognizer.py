"""A plain torch module as a recognizer: it gets clips and gives logits, and knows of nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel
from torch import Tensor, nn

from benchmark.fence import PluginFault, load_object


@MODELS.register_module()
class ModuleRecognizer(BaseModel):
    """The module at the import path `module`, built with `num_classes` and `options`; see `benchmark.module_recipe`.

    It is trained with cross-entropy to each clip's distribution over the classes.
    """

    def __init__(
        self, module: str, num_classes: int, options: Mapping[str, Any], data_preprocessor: dict[str, Any] | None = None
    ) -> None:
        super().__init__(data_preprocessor)
        self.module_path = module
        self.num_classes = num_classes
        network = load_object(module)(num_classes=num_classes, **options)
        if not isinstance(network, nn.Module):
            raise PluginFault(f"{module}: gave a {type(network).__name__}, not a torch.nn.Module")
        self.network = network

    def init_weights(self) -> None:
        """Nothing: a plain module has initialised its weights when it was built."""

    def forward(
        self, inputs: Tensor, data_samples: Sequence[ActionDataSample] | None = None, mode: str = "tensor", **_: Any
    ) -> Any:
        """Clips (B, T, 3, H, W) or (B, 1, 3, T, H, W) to logits (B, K), or to what MMEngine's other modes want."""
        clips = inputs.squeeze(1) if inputs.ndim == 6 else inputs
        logits = self.network(clips)
        expected = (len(clips), self.num_classes)
        if not isinstance(logits, Tensor) or logits.shape != expected:
            gave = tuple(logits.shape) if isinstance(logits, Tensor) else f"a {type(logits).__name__}"
            raise PluginFault(
                f"{self.module_path}: got clips of shape {tuple(clips.shape)} and must give logits of shape "
                f"{expected}, one for each clip and class; it gave {gave}"
            )
        if mode == "tensor":
            return logits
        samples = list(data_samples or ())
        if mode == "loss":
            targets = torch.stack([sample.gt_label for sample in samples]).to(logits.device)
            return {"loss_cls": F.cross_entropy(logits.float(), targets)}
        for sample, scores in zip(samples, logits.float().softmax(dim=1), strict=True):
            sample.set_pred_score(scores).set_pred_label(scores.argmax(dim=0, keepdim=True))
        return samples
