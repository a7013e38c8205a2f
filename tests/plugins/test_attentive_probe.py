"""The attentive probe: any encoder that is here, frozen, under its own method's names."""

import pytest
import torch
from mmengine.registry import DefaultScope

from benchmark.registry import registry
from benchmark.specs import load_object
from benchmark.training.checkpoints import load_networks
from benchmark.training.model import build_recognizer
from benchmark.training.weights import Origin, write_weights
from benchmark_plugins.attentive_probe import METHOD
from tests.golden import reference
from tests.golden.fill import filled_state_dict

# These give more than one tensor for a clip, or need what the probe does not have.
REFUSED = {"attentive-probe": "no backbone of its own", "gca-ial": "not one tensor", "aen": "not one tensor"}
ENCODERS = sorted(registry().methods.keys() - REFUSED.keys())
MAPS = ("videomae", "mae-dfer", "svfap", "s4d")


def probe(encoder: str):
    """A probe of the encoder's small preset; its weights filled, and the clips that it takes."""
    preset = registry().methods[encoder].presets["small"]
    recipe, _ = reference.build(METHOD, "small")
    own = dict(encoder=encoder, size=preset.size, frames=preset.sampling.frames)
    config = {**recipe.model, **own, "data_preprocessor": {"type": "ActionDataPreprocessor"}}
    from mmaction.registry import MODELS

    with DefaultScope.overwrite_default_scope("mmaction"):
        model = MODELS.build(config)
    model.load_state_dict(filled_state_dict(model.state_dict(), seed=0))
    clips = torch.randn(2, 1, 3, preset.sampling.frames, preset.size, preset.size)
    return model.eval(), clips


def logits(model, clips):
    with torch.no_grad():
        return model(clips, mode="tensor", stage="head")


@pytest.mark.parametrize("encoder", ENCODERS)
def test_any_encoder_can_be_probed_and_is_left_as_it_is(encoder):
    model, clips = probe(encoder)
    before = {key: value.clone() for key, value in model.backbone.state_dict().items()}
    model.train()
    assert not any(module.training for module in model.backbone.modules())
    model(clips, mode="tensor", stage="head").sum().backward()
    assert all(p.grad is None for p in model.backbone.parameters())
    assert all(p.grad is not None for p in model.cls_head.parameters())
    assert all(torch.equal(value, before[key]) for key, value in model.backbone.state_dict().items())
    model.eval()
    assert logits(model, clips).shape == (2, 7)
    torch.testing.assert_close(logits(model, clips)[:1], logits(model, clips[:1]), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("encoder", "reason"), REFUSED.items())
def test_what_cannot_be_probed_is_refused_with_the_reason(encoder, reason):
    with pytest.raises(ValueError, match=reason):
        logits(*probe(encoder))


@pytest.mark.parametrize("encoder", MAPS)
def test_a_transformers_tokens_are_those_that_its_method_averages(encoder):
    model, clips = probe(encoder)
    tokens = model.probed(clips.flatten(0, 1))
    assert tokens.shape[1] > 1
    assert torch.equal(tokens, model.backbone.tokens(clips.flatten(0, 1)))
    if encoder != "mae-dfer":
        # Of MAE-DFER's, only the messengers are averaged.
        with torch.no_grad():
            torch.testing.assert_close(model.backbone.fc_norm(tokens.mean(1)), model.backbone(clips.flatten(0, 1)))


@pytest.mark.parametrize("encoder", ["videomae", "former-dfer"])
def test_an_encoder_gets_pixels_normalised_as_its_own_preset_says(encoder):
    model, _ = probe(encoder)
    method = registry().methods[encoder]
    preset = method.presets["small"]
    pixels = torch.randint(0, 256, (1, 1, 3, preset.sampling.frames, preset.size, preset.size)).float()

    def normalised(of):
        return (pixels - torch.tensor(of.mean).view(3, 1, 1, 1)) / torch.tensor(of.std).view(3, 1, 1, 1)

    seen = []
    model.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model.backbone.tokens = model.backbone.forward = lambda x: seen.append(x) or torch.zeros(1, 2, 3)
    model.probed(normalised(METHOD.presets["small"]).flatten(0, 1))
    frames = seen[-1] if not model.by_frame else seen[-1].unflatten(0, (1, -1)).transpose(1, 2)
    torch.testing.assert_close(frames, normalised(preset).flatten(0, 1), atol=1e-5, rtol=1e-5)


def test_weights_of_the_encoders_method_fit_and_its_classifier_is_left_out(tmp_path):
    method = registry().methods["videomae"]
    trained = build_recognizer(method, method.presets["small"], 7)
    state = filled_state_dict(trained.state_dict(), seed=1)
    write_weights(tmp_path / "w.safetensors", state, Origin("videomae", "model", "small"))
    model, _ = probe("videomae")
    report = load_networks(model, METHOD, {"model": tmp_path / "w.safetensors"})["model"]
    assert all(torch.equal(value, state[f"backbone.{key}"]) for key, value in model.backbone.state_dict().items())
    assert {key.split(".")[0] for key in report.missing} == {"cls_head"}
    assert set(report.unexpected) == {"cls_head.fc_cls.weight", "cls_head.fc_cls.bias"}
    assert report.classifier == ()


def test_a_pre_trained_encoder_fits(tmp_path):
    from benchmark.training.model import build_recipe

    pretraining = registry().methods["svfap"].pretrainings["masked"]
    preset = pretraining.presets["small"]
    state = build_recipe(load_object(pretraining.recipe)(preset, 0), preset).state_dict()
    exported = load_object(pretraining.export)(state)
    write_weights(tmp_path / "w.safetensors", exported, Origin("svfap", "model", "small"))
    model, _ = probe("svfap")
    load_networks(model, METHOD, {"model": tmp_path / "w.safetensors"})
    assert all(torch.equal(model.state_dict()[key], value) for key, value in exported.items())


def test_the_query_gathers_by_similarity():
    """Against attention that is written out for one clip, head by head."""
    model, clips = probe("videomae")
    head = model.cls_head
    tokens = model.probed(clips.flatten(0, 1))
    x, query = head.norm1(tokens[0]), head.query[0]
    width = query.shape[1] // head.heads
    q, (k, v) = head.q(query), head.kv(x).chunk(2, dim=1)
    parts = []
    for number in range(head.heads):
        part = slice(number * width, (number + 1) * width)
        weights = (q[:, part] @ k[:, part].T / width**0.5).softmax(dim=1)
        parts.append(weights @ v[:, part])
    y = query + head.proj(torch.cat(parts, dim=1))
    y = y + head.fc2(torch.nn.functional.gelu(head.fc1(head.norm2(y))))
    torch.testing.assert_close(head(tokens)[:1], head.classifier(y), atol=1e-5, rtol=1e-5)
