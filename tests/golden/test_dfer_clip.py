import zlib
from typing import Any

import numpy as np
import pytest
import torch

from benchmark.specs import load_object
from benchmark_plugins.dfer_clip import METHOD
from benchmark_plugins.dfer_clip.recipe import DESCRIPTIONS
from benchmark_plugins.dfer_clip.tokenizer import tokenise
from tests.golden import reference
from tests.golden.fill import filled_state_dict

OFFICIAL = "dfer_clip"
NAMES = ["happiness.", "sadness.", "neutral.", "anger.", "surprise.", "disgust.", "fear."]
# The logits are 100 times a cosine; the official code itself is 9e-6 away from its double-precision result.
TOLERANCE: dict[str, Any] = dict(atol=3e-5, rtol=0)


def official_keys(state):
    return load_object(METHOD.networks["model"].keys)(state)


def official_state():
    """As built: tensors that CLIP shares with the model's parts have the values under CLIP's names."""
    state = reference.official_state(OFFICIAL)
    for key in state:
        if key.startswith("image_encoder."):
            state[key] = state[key.replace("image_encoder", "clip_model_.visual")]
        if key.startswith("text_encoder."):
            state[key] = state[key.replace("text_encoder", "clip_model_")]
    return state


@pytest.fixture(scope="module")
def loaded():
    recipe, model = reference.build(METHOD)
    missing, unexpected = model.load_state_dict(official_keys(official_state()), strict=False)
    assert (missing, unexpected) == (["cls_head.tokens"], [])
    return recipe, model


@pytest.fixture(scope="module")
def clip_vectors(loaded):
    _, model = loaded
    with torch.no_grad():
        return model.backbone(reference.make_frames(0, 2, 16, 224, 224).flatten(0, 1))


@pytest.fixture
def head(loaded):
    """The text side, whose texts a test may change."""
    head = loaded[1].cls_head
    tokens = head.tokens.clone()
    yield head
    head.tokens.copy_(tokens)
    head.eval()


def golden(letter, file="golden.json"):
    [name] = [case for found, case in reference.cases(OFFICIAL) if found == file and case.startswith(f"{letter}:")]
    return reference.golden_logits(OFFICIAL, file, name)


def describe_by(head, texts):
    from benchmark_plugins.dfer_clip.model import prompt_tokens

    head.tokens.copy_(prompt_tokens(texts, 8))
    head.eval()


def embed_as_recorded(monkeypatch, head):
    """Let texts have the embeddings that the recorded case filled in, whatever their tokens."""
    state = reference.official_state(OFFICIAL)
    prefix, suffix = state["prompt_learner.token_prefix"], state["prompt_learner.token_suffix"]
    embedded = torch.cat([prefix, torch.zeros(7, 8, 512), suffix], dim=1)
    monkeypatch.setattr(head.token_embedding, "forward", lambda tokens: embedded)
    head.eval()


def test_parameters_are_the_official_ones_but_for_the_unused_temperature(loaded):
    _, model = loaded
    recorded = reference.read(OFFICIAL, "state_dict.json")
    assert sum(p.numel() for p in model.parameters()) == recorded["n_parameters"] - 1 == 153_416_448
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert trained == recorded["n_parameters_trained_by_the_script"] == 89_988_352


def test_logits_with_the_papers_descriptions_equal_the_official_ones(loaded, clip_vectors):
    torch.testing.assert_close(loaded[1].cls_head(clip_vectors), golden("T"), **TOLERANCE)


def test_logits_with_class_names_equal_the_official_ones(head, clip_vectors):
    describe_by(head, NAMES)
    torch.testing.assert_close(head(clip_vectors), golden("N"), **TOLERANCE)


def test_logits_with_given_embeddings_equal_the_official_ones(head, clip_vectors, monkeypatch):
    embed_as_recorded(monkeypatch, head)
    torch.testing.assert_close(head(clip_vectors), golden("D"), **TOLERANCE)


@pytest.mark.slow
def test_logits_of_scenes_equal_the_official_ones_and_reversed_frames_change_them(loaded, head, monkeypatch):
    recipe, model = loaded
    embed_as_recorded(monkeypatch, head)
    frames, expected = reference.make_scene_frames(0, 2, 16, 224, 224), golden("D", "golden_scene.json")
    torch.testing.assert_close(reference.logits(recipe, model, frames), expected, **TOLERANCE)
    assert (reference.logits(recipe, model, frames[:1].flip(1)) - expected[:1]).abs().max() > 1e-3


@pytest.mark.slow
def test_two_temporal_layers_give_the_official_logits(monkeypatch):
    # The layers are numbered, so that a second one has values of its own.
    recipe, model = reference.build(METHOD, model={"temporal_depth": 2})
    second = {key: torch.empty_like(value) for key, value in official_state().items() if ".layers.0." in key}
    state = official_state() | {
        key.replace(".layers.0.", ".layers.1."): value
        for key, value in filled_state_dict(
            {key.replace(".layers.0.", ".layers.1."): value for key, value in second.items()}, seed=0
        ).items()
    }
    model.load_state_dict(official_keys(state), strict=False)
    describe_by(model.cls_head, NAMES)
    embed_as_recorded(monkeypatch, model.cls_head)
    [name] = [case for _, case in reference.cases(OFFICIAL) if "temporal-layers 2" in case]
    logits = reference.logits(recipe, model, reference.make_frames(0, 2, 16, 224, 224))
    torch.testing.assert_close(logits, reference.golden_logits(OFFICIAL, "golden.json", name), **TOLERANCE)


@pytest.mark.parametrize(("count", "recorded"), [(7, 735408685), (11, 1208527981)])
def test_the_descriptions_tokens_are_the_official_ones(count, recorded):
    from benchmark_plugins.dfer_clip.model import prompt_tokens

    tokens = prompt_tokens(list(DESCRIPTIONS.values())[:count], 8)
    assert zlib.crc32(tokens.numpy().astype(np.dtype("<i4")).tobytes()) == recorded


def test_tokens_are_clips_own():
    assert tokenise("X X happiness.") == [343, 343, 5096, 269]
    assert tokenise("  DISGUST. ") == [9793, 545, 269]
    # A letter outside ASCII is two bytes; nothing is unknown.
    assert tokenise("") == []
    assert all(0 <= number < 49406 for number in tokenise("naïve 😀 don't &amp; 42 _"))


def test_a_text_that_is_too_long_is_refused():
    from benchmark_plugins.dfer_clip.model import prompt_tokens

    with pytest.raises(ValueError, match="CLIP takes 77"):
        prompt_tokens(["word " * 80], 8)


def test_class_vectors_are_constant_at_test_time_and_follow_the_weights():
    _, model = reference.build(METHOD, "small")
    model.init_weights()
    head, clips = model.cls_head, torch.rand(2, 64)
    head.eval()
    calls = []
    head.text_encoder.register_forward_hook(lambda *_: calls.append(1))
    before = head(clips)
    assert torch.equal(head(clips), before)
    assert calls == []
    head.load_state_dict(filled_state_dict(head.state_dict(), seed=1))
    assert len(calls) == 1
    after = head(clips)
    assert not torch.allclose(before, after)
    # Training computes them anew, to the same values.
    torch.testing.assert_close(head.train()(clips), after, **TOLERANCE)
    assert len(calls) == 2


def test_weights_bring_the_texts_that_they_were_trained_with():
    _, named = reference.build(METHOD, "small")
    describe_by(named.cls_head, NAMES)
    _, other = reference.build(METHOD, "small")
    other.load_state_dict(named.state_dict())
    assert torch.equal(other.cls_head.tokens, named.cls_head.tokens)


def test_what_follows_a_texts_end_is_not_seen(head):
    """So it can be left out: all 77 places give the same vectors."""
    encoder, prompts, end = head.text_encoder, head.prompts(), head.tokens.argmax(dim=1)
    with torch.no_grad():
        whole = encoder.ln_final(encoder.blocks(prompts + encoder.positional_embedding))
        expected = whole[torch.arange(7), end] @ encoder.text_projection
        torch.testing.assert_close(encoder(prompts, end), expected, atol=1e-4, rtol=1e-4)


def test_every_part_has_its_official_learning_rate(loaded):
    recipe, model = loaded
    recorded = reference.read(OFFICIAL, "golden_optim.json")
    official = official_keys({name: name for name, *_ in recorded["param_groups"]})
    rules = {
        official[name]: (group["lr"], group["weight_decay"])
        for group in reference.optimizer(recipe, model).optimizer.param_groups
        for name, parameter in model.named_parameters()
        if any(parameter is each for each in group["params"]) and parameter.requires_grad
    }
    assert rules == {name: pytest.approx((rate, decay)) for name, rate, decay in recorded["param_groups"]}
    [steps] = recipe.param_scheduler
    assert (steps["milestones"], steps["gamma"]) == ([30, 40], 0.1)


def test_clips_own_files_fill_both_towers():
    entries = reference.read(OFFICIAL, "state_dict.json")["entries"]
    names = [key.removeprefix("clip_model_.") for key, *_ in entries if key.startswith("clip_model_.")]
    _, model = reference.build(METHOD, "small", model={"depth": 12, "dim": 96, "outputs": 64, "text_dim": 64})
    ours = official_keys(dict.fromkeys(names))
    missing = model.state_dict().keys() - ours.keys()
    assert ours.keys() <= model.state_dict().keys()
    assert {key.split(".")[1] for key in missing} == {"temporal_net", "ctx", "tokens"}


def test_other_classes_need_texts_of_their_own():
    recipe = load_object(METHOD.recipe)(METHOD.presets["small"], 3)
    assert recipe.by_class == {"model.cls_head.texts": ()}
    with pytest.raises(ValueError, match="as many texts"):
        reference.build(METHOD, "small")[1].cls_head.__class__(3, 64, ["one"], dict(dim=64, depth=1, heads=4))
