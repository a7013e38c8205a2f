"""The official S2D (github.com/MSA-LMC/S2D), as its DFEW script builds its two networks. Needs timm 0.6."""

from torch import nn
from torch.nn.functional import cross_entropy

# Parts of the names of what its script trains; the rest is frozen.
TRAINED = ("temporal_embedding", "ln_post", "Adapter", "head", "prompt")


class WithLandmarks(nn.Module):
    """The official video model, given what the frozen landmark network sees."""

    def __init__(self, model, landmark):
        super().__init__()
        self.model, self.landmark = model, landmark

    def train(self, mode=True):
        """Set the video model to training; the landmark network is never trained."""
        super().train(mode)
        self.landmark.eval()
        return self

    def forward(self, clips):
        """Logits of clips (B, 3, T, H, W)."""
        return self.model(clips, self.landmark(clips))[0]


def build(preset, num_classes):
    """The official model."""
    from landmark import Landmark, backbone
    from model_finetuning import s2d_base_patch16_224

    # It would read trained weights, which time does not depend on.
    backbone.load_model = lambda name, place: backbone.MobileFaceNet([112, 112], 136)
    model = s2d_base_patch16_224(num_classes=num_classes, num_frames=preset.sampling.frames, head_dropout_ratio=0.5)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(any(part in name for part in TRAINED))
    return WithLandmarks(model, Landmark())


def loss(model, clips, targets):
    """Its loss, without mixing."""
    return cross_entropy(model(clips), targets, label_smoothing=0.1)
