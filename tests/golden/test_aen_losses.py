import numpy as np
import pytest
import torch

from benchmark_plugins.aen import METHOD
from tests.golden import reference
from tests.golden.fill import rand_tensor

OFFICIAL = "aen"
LEVELS = (("0", 512), ("1", 784), ("3", 784))


def loss_of(**options):
    """The loss as the recipe configures it."""
    preset = METHOD.presets["small"]
    return reference.build(METHOD, "small", model={**preset.model, **options})[1].cls_head.loss_cls


def loss_inputs(recorded: dict) -> tuple:
    """Scores, clip vectors, frame vectors, targets and guide of a recorded case; the first three need gradients."""
    from benchmark_plugins.aen.losses import Scores

    name, seed, batch = recorded["case"], recorded["seed"], recorded["inputs"]["B"]
    scale, guide_scale = (
        float(part.split("scale=")[1].split(")")[0])
        for part in (recorded["inputs"]["recipe"].split("P2D")[0], recorded["inputs"]["recipe"].split("P2D")[1])
    )

    def tensor(key: str, *shape: int, scale: float = 1.0) -> torch.Tensor:
        return rand_tensor(f"{name}.{key}", shape, seed, scale=scale).requires_grad_()

    scores = Scores(*(tensor(key, batch, k, scale=scale) for key, k in (("x0", 7), ("x1", 3), ("x3", 7))))
    clips = [tensor(f"t{level}", batch, dim) for level, dim in LEVELS]
    frames = [tensor(f"s{level}", batch * 16, dim) for level, dim in LEVELS]
    targets = torch.nn.functional.one_hot(torch.tensor(recorded["inputs"]["target"]), 7).float()
    guide = tensor("P2D", batch * 16, 7, scale=guide_scale).detach().view(batch, 16, 7)
    return scores, clips, frames, targets, guide


LOSS_CASES = reference.read(OFFICIAL, "golden_loss.json")["cases"]


@pytest.mark.parametrize("recorded", LOSS_CASES, ids=lambda recorded: recorded["case"])
def test_official_losses_and_gradients_equal_the_official_ones(recorded):
    loss = loss_of(losses="official")
    scores, clips, frames, targets, guide = loss_inputs(recorded)
    by_clip = [level.unflatten(0, (-1, 16)) for level in frames]
    terms = loss(scores, clips, by_clip, targets, guide)
    group, emotion = loss.mc(scores, targets)
    group_energy, emotion_energy = loss.ga(scores, guide)
    outputs = recorded["outputs"]
    for name, ours in (
        ("loss_P1", group),
        ("loss_P2", emotion),
        ("L_mc", terms["loss_mc"]),
        ("L_ta", loss.ta(clips, by_clip, targets, guide)),
        ("loss_energy1", group_energy),
        ("loss_energy2", emotion_energy),
        ("L_ga", terms["loss_ga"]),
        ("loss", sum(terms.values())),
    ):
        assert ours.item() == pytest.approx(outputs[name], rel=1e-5, abs=1e-5), name
    sum(terms.values()).backward()
    inputs = dict(zip(("x0", "x1", "x3"), scores, strict=True))
    inputs |= {f"t{level}": clip for (level, _), clip in zip(LEVELS, clips, strict=True)}
    inputs |= {f"s{level}": frame for (level, _), frame in zip(LEVELS, frames, strict=True)}
    for name, official in outputs["grad"].items():
        grad = inputs[name].grad.flatten()
        assert grad.double().norm().item() == pytest.approx(official["l2"], rel=1e-4), name
        for part, key in ((grad[:8], "first8"), (grad[-8:], "last8")):
            assert part.tolist() == pytest.approx(official[key], rel=1e-4, abs=1e-8), name


def equations_2_to_6(scores, clips, frames, targets, guide, ta_norm) -> dict[str, float]:
    """The paper's loss of one clip, sum by sum. targets (7,), frames (T, D_i), guide (T, 7)."""

    def rho(x):
        return np.exp(x) / np.exp(x).sum()

    def sigma(x):
        return 1 / (1 + np.exp(-x))

    groups = ((0, 4), (2,), (1, 3, 5, 6))
    p_global, p_groups, p_emotions = (rho(x) for x in scores)
    mc = 0.0
    for k in range(7):
        mc -= targets[k] * np.log(0.7 * p_emotions[k] + 0.3 * p_global[k])
    for j, members in enumerate(groups):
        fused = 0.7 * p_groups[j] + 0.3 * sum(p_global[k] for k in members)
        mc -= sum(targets[k] for k in members) * np.log(fused)
    s2 = np.stack([rho(frame) for frame in guide])
    weights = [sum(frame[k] * targets[k] for k in range(7)) for frame in s2]
    ta = 0.0
    for v, i in zip(clips, frames, strict=True):
        norm = 0.0
        for d in range(len(v)):
            norm += abs(v[d] - sum(weights[t] * i[t, d] for t in range(len(i))))
        ta += norm / len(v) if ta_norm == "mean" else norm
    s1 = np.stack([[sum(frame[k] for k in members) for members in groups] for frame in s2])
    ga = 0.0
    for beta, logits, s in ((1.4, scores[1], s1), (0.6, scores[2], s2)):
        guided = rho(s.sum(axis=0))
        ga += beta * sum((sigma(logits[k]) - guided[k]) ** 2 for k in range(len(guided)))
    return {"loss_mc": mc, "loss_ta": 0.4 * ta, "loss_ga": 0.5 * ga}


@pytest.mark.parametrize("ta_norm", ["mean", "sum"])
@pytest.mark.parametrize("soft", [False, True])
def test_the_paper_s_losses_are_its_equations(soft, ta_norm):
    scores, clips, frames, targets, guide = loss_inputs(next(c for c in LOSS_CASES if c["inputs"]["B"] == 4))
    if soft:
        targets = (targets + torch.rand(4, 7)).softmax(dim=1)
    by_clip = [level.unflatten(0, (-1, 16)) for level in frames]
    ours = loss_of(ta_norm=ta_norm)(scores, clips, by_clip, targets, guide)

    def clip(values, b):
        return [value[b].detach().double().numpy() for value in values]

    def of_clip(b):
        target, guided = clip((targets, guide), b)
        return equations_2_to_6(clip(scores, b), clip(clips, b), clip(by_clip, b), target, guided, ta_norm)

    expected = [of_clip(b) for b in range(4)]
    for name, value in ours.items():
        assert value.item() == pytest.approx(np.mean([terms[name] for terms in expected]), rel=1e-5), name


def test_the_guided_terms_can_be_weighted_as_in_table_1():
    inputs = loss_inputs(next(c for c in LOSS_CASES if c["inputs"]["B"] == 2))
    scores, clips, frames, targets, guide = inputs
    by_clip = [level.unflatten(0, (-1, 16)) for level in frames]
    full = loss_of()(scores, clips, by_clip, targets, guide)
    without = loss_of(ta_weight=0.2, ga_weight=0.0)(scores, clips, by_clip, targets, guide)
    torch.testing.assert_close(without["loss_ta"], full["loss_ta"] / 2)
    assert without["loss_ga"] == 0 < full["loss_ga"]


def test_a_mixture_of_one_classifier_alone_is_that_classifier():
    from benchmark_plugins.aen.losses import mix_probabilities

    local = torch.randn(3, 7).log_softmax(dim=1).requires_grad_()
    overall = torch.randn(3, 7).log_softmax(dim=1).requires_grad_()
    torch.testing.assert_close(mix_probabilities(local, overall, 1.0), local)
    torch.testing.assert_close(mix_probabilities(local, overall, 0.0), overall)
    (mix_probabilities(local, overall, 1.0) + mix_probabilities(local, overall, 0.0)).sum().backward()
    assert local.grad is not None and overall.grad is not None
    assert torch.equal(local.grad, torch.ones(3, 7)) and torch.equal(overall.grad, torch.ones(3, 7))
