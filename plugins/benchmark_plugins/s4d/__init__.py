"""S4D, formerly UniLearn (IEEE TAFFC 2025): one transformer learns from images and videos, with adapter experts."""

from benchmark.specs import MethodSpec, Network, Preset, Pretraining, Sampling

_CITATION = (
    "Yin Chen, Jia Li, Yu Zhang, Zhenzhen Hu, Shiguang Shan, Meng Wang and Richang Hong. Static for Dynamic: Towards a "
    "Deeper Understanding of Dynamic Facial Expressions Using Static Expression Data. IEEE Transactions on Affective "
    "Computing, 2025."
)
_SMALL = {
    "patch": 8,
    "dim": 96,
    "depth": 2,
    "heads": 4,
    "expert_blocks": 1,
    "experts": 4,
    "lr": 1e-3,
    "layer_decay": 1.0,
    "warmup": 2,
    "area_range": (0.95, 1.0),
    "strong": False,
}

METHOD = MethodSpec(
    name="s4d",
    title="S4D / UniLearn (ViT-B with adapter experts)",
    citation=_CITATION,
    licence="Apache-2.0 (official code), with parts of VideoMAE's and Meta's omnivore code, which are CC-BY-NC 4.0",
    recipe="benchmark_plugins.s4d.recipe:recipe",
    networks={
        "model": Network(
            title="the encoder with its classifier of videos, or a pre-trained autoencoder",
            keys="benchmark_plugins.s4d.recipe:official_keys",
            # VideoMAE's names, which are all here, and more.
            signature=(
                "patch_embed.proj.weight",
                "blocks.0.attn.q_bias",
                "fc_norm.weight",
                "head.video.weight",
            ),
            head="head.video.weight",
            class_order=("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"),
        )
    },
    presets={
        "paper": Preset(
            size=160,
            sampling=Sampling(clips=1, length=16, stride=4),
            epochs=100,
            batch_size=32,
            reference_batch=8,
            parameters=100_508_263,
            gflops=167.097,
            decode_size=160,
            pretraining="none (paper: masked autoencoding of VoxCeleb2 and AffectNet, and AffectNet's labels)",
        ),
        "small": Preset(
            size=32,
            sampling=Sampling(clips=8),
            epochs=15,
            batch_size=8,
            parameters=281_007,
            gflops=0.037,
            decode_size=40,
            model=_SMALL,
        ),
    },
    pretrainings={
        "image": Pretraining(
            title="the same network on labelled images, each shown as two equal frames",
            citation=_CITATION,
            data="images",
            recipe="benchmark_plugins.s4d.recipe:recipe",
            export="benchmark_plugins.s4d.recipe:export",
            presets={
                "paper": Preset(
                    size=160,
                    sampling=Sampling(clips=1),
                    epochs=100,
                    batch_size=32,
                    reference_batch=8,
                    balanced=True,
                    parameters=100_508_263,
                    gflops=18.307,
                ),
                "small": Preset(
                    size=32,
                    sampling=Sampling(clips=1),
                    epochs=15,
                    batch_size=8,
                    balanced=True,
                    parameters=281_007,
                    gflops=0.009,
                    decode_size=40,
                    model=_SMALL,
                ),
            },
        )
    },
    official_evaluation=(
        "Its validation list is the test list, and the best epoch on it is tested beside the last. Testing is random: "
        "the routers' noise stays on. It also depends on which clips share a batch, since an expert takes no more "
        "tokens than its share. Averages two segments x two crops of each clip, though frames are square, so that both "
        "crops hold the same pixels."
    ),
)
