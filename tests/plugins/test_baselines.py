"""Six baselines: parameters as published, shapes by hand, and what makes each of them what it is."""

import pytest
import torch
from mmaction.registry import MODELS
from torch import nn

from benchmark.registry import registry
from benchmark.training.model import build_recognizer
from benchmark_plugins.baselines import METHODS
from benchmark_plugins.baselines.recipe import torchvision_keys

NAMES = [method.name for method in METHODS]
# With as many classes as were counted: C3D on UCF101 (78.41 million in later papers), the others on Kinetics-400
# (torchvision's documentation for both ResNets; I3D's paper gives 25 million for its two streams).
PUBLISHED = {
    "c3d": (101, 78_409_573),
    "i3d": (400, 12_697_264),
    "r2plus1d": (400, 31_505_325),
    "r3d-18": (400, 33_371_472),
}


def network(name, preset="small", num_classes=7):
    method = registry().methods[name]
    return build_recognizer(method, method.presets[preset], num_classes)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def clips(name, batch=2):
    preset = registry().methods[name].presets["small"]
    torch.manual_seed(0)
    return torch.randn(batch, 1, 3, preset.sampling.frames, preset.size, preset.size)


def test_they_are_registered():
    assert set(NAMES) == {"c3d", "i3d", "r2plus1d", "r3d-18", "resnet18-lstm", "resnet18-gru"}
    assert set(NAMES) <= set(registry().methods)


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_as_published(name):
    classes, parameters = PUBLISHED[name]
    assert count(network(name, "paper", classes)) == parameters


@pytest.mark.parametrize(("name", "gates"), [("resnet18-lstm", 4), ("resnet18-gru", 3)])
def test_parameters_of_the_recurrent_ones_by_hand(name, gates):
    resnet_without_classifier = 11_689_512 - (512 * 1000 + 1000)
    layer = gates * (2 * 512 * 512 + 2 * 512)
    assert count(network(name, "paper")) == resnet_without_classifier + layer + 512 * 7 + 7


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("preset", ["paper", "small"])
def test_the_preset_states_its_parameters(name, preset):
    assert registry().methods[name].presets[preset].parameters == count(network(name, preset))


# By hand: every stride of two halves (rounding up), 112 -> 56 -> 28 -> 14 -> 7 -> 4 and 16 -> 8 -> 4 -> 2 -> 1.
@pytest.mark.parametrize(
    ("name", "maps"),
    [("i3d", (1024, 2, 4, 4)), ("r2plus1d", (512, 2, 7, 7)), ("r3d-18", (512, 2, 7, 7)), ("c3d", (4096,))],
)
def test_the_papers_clip_gives_the_papers_feature_maps(name, maps):
    with torch.device("meta"):
        features = network(name, "paper").eval().backbone(torch.empty(1, 3, 16, 112, 112))
    assert features.shape == (1, *maps)


@pytest.mark.parametrize("name", NAMES)
def test_logits_whatever_the_batch(name):
    model = network(name).eval()
    with torch.inference_mode():
        for batch in (1, 3):
            logits = model(clips(name, batch), mode="tensor", stage="head")
            assert logits.shape == (batch, 7)


@pytest.mark.parametrize("name", NAMES)
def test_time_matters(name):
    model = network(name).eval()
    with torch.inference_mode():
        forwards = model(clips(name), mode="tensor", stage="head")
        backwards = model(clips(name).flip(3), mode="tensor", stage="head")
    assert (forwards - backwards).abs().max() > 1e-4


@pytest.mark.parametrize("name", ["resnet18-lstm", "resnet18-gru"])
def test_before_the_recurrent_layer_no_frame_sees_another(name):
    backbone = network(name).eval().backbone
    backbone.recurrent = nn.Identity()
    seen = {}
    backbone.recurrent.forward = lambda frames: seen.setdefault("frames", []).append(frames) or (frames, None)
    clip = clips(name)[:, 0]
    with torch.inference_mode():
        backbone(clip)
        clip[:, :, 3] += 1
        backbone(clip)
    before, after = seen["frames"]
    changed = (before - after).abs().amax(dim=(0, 2)) > 1e-6
    assert changed.tolist() == [index == 3 for index in range(clip.shape[2])]


@pytest.mark.parametrize("name", ["resnet18-lstm", "resnet18-gru"])
def test_the_last_state_is_the_clips_feature(name):
    backbone = network(name).eval().backbone
    with torch.inference_mode():
        feature = backbone(clips(name)[:, 0])
        frames = super(type(backbone), backbone).forward(clips(name)[:, 0]).mean(dim=(3, 4)).transpose(1, 2)
        last = backbone.recurrent(frames)[1]
    last = last[0] if isinstance(last, tuple) else last
    torch.testing.assert_close(feature, last[0])


def test_splitting_a_convolution_keeps_its_parameters():
    """Tran et al. choose the width in between so; the stem and rounding down are what remains."""
    whole, split = (count(network(name, "paper").backbone.layer3) for name in ("r3d-18", "r2plus1d"))
    # The second convolution of a block that widens has the first one's width in between, and so less than its own.
    assert 0.9 < split / whole < 1


@pytest.mark.parametrize("name", ["r3d-18", "r2plus1d"])
class TestTorchvision:
    def reference(self, name):
        """A network with torchvision's names, written from its description: blocks of `Sequential(conv, norm)`."""

        def conv(inputs, outputs, middle, stride):
            if name == "r3d-18":
                return nn.Conv3d(inputs, outputs, 3, stride, 1, bias=False)
            space = nn.Conv3d(inputs, middle, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False)
            time = nn.Conv3d(middle, outputs, (3, 1, 1), (stride, 1, 1), (1, 0, 0), bias=False)
            return nn.Sequential(space, nn.BatchNorm3d(middle), nn.ReLU(), time)

        class Block(nn.Module):
            def __init__(self, inputs, outputs, stride):
                super().__init__()
                middle = (inputs * outputs * 27) // (inputs * 9 + 3 * outputs)
                norms = [nn.BatchNorm3d(outputs) for _ in range(2)]
                self.conv1 = nn.Sequential(conv(inputs, outputs, middle, stride), norms[0], nn.ReLU())
                self.conv2 = nn.Sequential(conv(outputs, outputs, middle, 1), norms[1])
                if stride == 2:
                    shortcut = nn.Conv3d(inputs, outputs, 1, stride, bias=False)
                    self.downsample = nn.Sequential(shortcut, nn.BatchNorm3d(outputs))

            def forward(self, x):
                shortcut = self.downsample(x) if hasattr(self, "downsample") else x
                return (self.conv2(self.conv1(x)) + shortcut).relu()

        class Network(nn.Module):
            def __init__(self):
                super().__init__()
                whole = [nn.Conv3d(3, 64, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False)]
                space = nn.Conv3d(3, 45, (1, 7, 7), (1, 2, 2), (0, 3, 3), bias=False)
                time = nn.Conv3d(45, 64, (3, 1, 1), 1, (1, 0, 0), bias=False)
                halves = [space, nn.BatchNorm3d(45), nn.ReLU(), time]
                self.stem = nn.Sequential(*(whole if name == "r3d-18" else halves), nn.BatchNorm3d(64), nn.ReLU())
                widths = [64, 64, 128, 256, 512]
                for i in range(1, 5):
                    first = Block(widths[i - 1], widths[i], 1 if i == 1 else 2)
                    setattr(self, f"layer{i}", nn.Sequential(first, Block(widths[i], widths[i], 1)))
                self.fc = nn.Linear(512, 7)

            def forward(self, x):
                x = self.stem(x)
                for i in range(1, 5):
                    x = getattr(self, f"layer{i}")(x)
                return self.fc(x.mean(dim=(2, 3, 4)))

        return Network()

    def test_its_weights_give_its_logits(self, name):
        torch.manual_seed(0)
        reference = self.reference(name)
        for module in reference.modules():
            if isinstance(module, nn.BatchNorm3d):
                assert module.running_mean is not None and module.running_var is not None
                nn.init.uniform_(module.running_mean, -0.1, 0.1)
                nn.init.uniform_(module.running_var, 0.5, 1.5)
        model = network(name, "paper").eval()
        model.load_state_dict(torchvision_keys(reference.state_dict()), strict=True)
        clip = torch.randn(1, 3, 8, 40, 40)
        with torch.inference_mode():
            logits = model(clip[:, None], mode="tensor", stage="head")
            torch.testing.assert_close(logits, reference.eval()(clip), atol=1e-5, rtol=1e-5)

    def test_the_signature_tells_its_files(self, name):
        other = "r2plus1d" if name == "r3d-18" else "r3d-18"
        signature = registry().methods[name].networks["model"].signature
        with torch.device("meta"):
            assert set(signature) <= set(self.reference(name).state_dict())
            assert not set(signature) <= set(self.reference(other).state_dict())


def test_mmaction_parts_are_used_where_they_fit():
    from mmaction.models import ResNet3d

    for name in ("r2plus1d", "r3d-18", "resnet18-lstm"):
        assert isinstance(network(name).backbone, ResNet3d)
    assert MODELS.get("ResNet3d") is type(network("r3d-18").backbone)
