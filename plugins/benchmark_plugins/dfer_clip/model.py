"""DFER-CLIP (Zhao and Patras, BMVC 2023): a clip is of the class whose description is nearest in CLIP's space.

The video side gives one vector per clip: CLIP's image encoder for each frame, a temporal transformer over the frames.
The text side gives one per class: a few learned context vectors and a description through CLIP's frozen text encoder. B
is the batch, T the frames, C the classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmaction.models import BaseHead
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from benchmark_plugins.dfer_clip.clip import ImageEncoder, TextEncoder
from benchmark_plugins.dfer_clip.tokenizer import END, LENGTH, START, VOCABULARY, tokenise
from benchmark_plugins.former_dfer.model import TFormer

# What the cosine of a clip and a class is multiplied with; fixed in the official code.
SCALE = 100.0
# The word whose place the learned contexts take.
PLACEHOLDER = "X"


def prompt_tokens(texts: Sequence[str], contexts: int) -> Tensor:
    """Token numbers (C, 77): the start, a placeholder for each context, the text, the end, zeros.

    Raises ValueError for a text that does not fit.
    """
    numbers = torch.zeros(len(texts), LENGTH, dtype=torch.int64)
    for row, text in zip(numbers, texts, strict=True):
        found = [START, *tokenise(" ".join([PLACEHOLDER] * contexts)), *tokenise(text), END]
        if len(found) > LENGTH:
            raise ValueError(f"'{text}' has {len(found)} tokens with its contexts; CLIP takes {LENGTH}")
        row[: len(found)] = torch.tensor(found)
    return numbers


@MODELS.register_module()
class DFERCLIP(BaseModule):
    """The backbone: frames (B * T, 3, size, size) to clip vectors (B, outputs).

    image: options of `ImageEncoder`. frames: T. depth, heads: of the temporal transformer.
    """

    def __init__(self, image: dict[str, int], frames: int = 16, depth: int = 1, heads: int = 8) -> None:
        super().__init__()
        self.frames = frames
        self.image_encoder = ImageEncoder(**image)
        # Former-DFER's, by the same author.
        self.temporal_net = TFormer(frames, image["outputs"], depth, heads)

    def forward(self, x: Tensor) -> Tensor:
        """Frames of all clips, clip by clip, to one vector per clip."""
        return self.temporal_net(self.image_encoder(x).unflatten(0, (-1, self.frames)))


@MODELS.register_module()
class DFERCLIPHead(BaseHead):
    """Logits (B, C): 100 times the cosine of clip vectors (B, in_channels) and class vectors.

    texts: what describes each class. contexts: learned vectors in front of each text, of its own class. text: options
    of `TextEncoder`. The texts' tokens are a part of the state, so that weights keep the classes they were trained for.
    """

    class_vectors: Tensor
    tokens: Tensor

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        texts: Sequence[str],
        text: dict[str, int],
        contexts: int = 8,
        **options: Any,
    ) -> None:
        super().__init__(num_classes, in_channels, **options)
        if len(texts) != num_classes:
            raise ValueError(f"{num_classes} classes need as many texts, not {len(texts)}")
        dim = text["dim"]
        self.contexts = contexts
        self.ctx = nn.Parameter(torch.empty(num_classes, contexts, dim))
        self.register_buffer("tokens", prompt_tokens(texts, contexts))
        self.token_embedding = nn.Embedding(VOCABULARY, dim).requires_grad_(False)
        self.text_encoder = TextEncoder(LENGTH, outputs=in_channels, **text).requires_grad_(False)
        # A constant while nothing is learned; follows from the weights.
        self.register_buffer("class_vectors", torch.zeros(num_classes, in_channels), persistent=False)
        self.length = LENGTH
        self.register_load_state_dict_post_hook(_refresh)

    def init_weights(self) -> None:
        """Normal of deviation 0.02."""
        nn.init.normal_(self.ctx, std=0.02)
        nn.init.normal_(self.token_embedding.weight, std=0.02)
        self.text_encoder.init_weights()

    def train(self, mode: bool = True) -> DFERCLIPHead:
        """Leaving training, or given weights outside it, the class vectors are computed once."""
        super().train(mode)
        # Of the longest text; asked once, because an accelerator is waited for.
        self.length = int(self._ends().max()) + 1
        if not mode:
            with torch.no_grad():
                self.class_vectors.copy_(self.describe())
        return self

    def prompts(self) -> Tensor:
        """Embedded tokens (C, 77, dim) with the learned contexts in place."""
        embedded = self.token_embedding(self.tokens)
        return torch.cat([embedded[:, :1], self.ctx, embedded[:, 1 + self.contexts :]], dim=1)

    def describe(self) -> Tensor:
        """Class vectors (C, in_channels)."""
        return self.text_encoder(self.prompts()[:, : self.length], self._ends())

    def _ends(self) -> Tensor:
        """The place of each text's end (C,), which has its highest token number."""
        return self.tokens.argmax(dim=1)

    def forward(self, x: Tensor, **_: Any) -> Tensor:
        """Logits."""
        vectors = self.describe() if self.training else self.class_vectors
        return SCALE * F.normalize(x, dim=1) @ F.normalize(vectors, dim=1).T


def _refresh(head: nn.Module, _: Any) -> None:
    """After loading: what follows from the weights follows from the new ones."""
    head.train(head.training)
