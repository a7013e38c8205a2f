"""The official GCA + IAL (github.com/muse1998/IAL-for-Facial-Expression-Recognition): 16 frames of 112 x 112."""

import torch
from torch.nn.functional import cross_entropy, one_hot


def build(preset, num_classes):
    """The official model."""
    from final_model import GenerateModel

    if not torch.cuda.is_available():
        # Its transformers move a tensor that nothing depends on to the GPU.
        torch.Tensor.cuda = torch.Tensor.cpu  # type: ignore[method-assign, assignment]
    model = GenerateModel()
    assert num_classes == model.fc_f.out_features
    return model


def loss(model, clips, targets):
    """Its loss: over all classes, over the target and its strongest rival alone, and the second stage's."""
    logits, _, _, auxiliary, _ = model(clips.transpose(1, 2))
    target = targets.argmax(dim=1)
    own = one_hot(target, targets.shape[1]).double()
    rival = one_hot((logits - 99999 * own).argmax(dim=1), targets.shape[1]).double()
    intensity = cross_entropy(logits - 9999 * (1 - own - rival), target)
    return cross_entropy(logits, target) + 0.05 * cross_entropy(auxiliary, target) + 0.1 * intensity
