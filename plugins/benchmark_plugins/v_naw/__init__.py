"""V-NAW (CVPR Workshops 2025): frame features, a transformer over time, and a loss that weighs ambiguity."""

import dataclasses

from benchmark.specs import MethodSpec, Network, Preset, Pretraining, Sampling

# Of face crops, on the 0..255 scale; NLA's and V-NAW's.
MEAN = (147.135, 114.597, 102.0255)
STD = (67.014, 61.0725, 60.7665)

_NLA = (
    "JunGyu Lee, Yeji Choi, Haksub Kim, Ig-Jae Kim and Gi Pyo Nam. Navigating Label Ambiguity for Facial Expression "
    "Recognition in the Wild. AAAI Conference on Artificial Intelligence, 2025. arXiv:2502.09993."
)
_SMALL_SWIN = {
    "patch": 4,
    "dim": 32,
    "depths": (2, 2),
    "heads": (2, 4),
    "window": 4,
    "out_channels": 64,
    "attention_dropout": 0.0,
    "drop_path": 0.0,
}

_PAPER = Preset(
    size=224,
    sampling=Sampling(clips=100),
    epochs=50,
    batch_size=24,
    balanced=True,
    mean=MEAN,
    std=STD,
    parameters=35_083_137,
    gflops=899.55,
    pretraining="none (paper: NLA on the images of FERPlus, RAF-DB and AffectNet)",
    # Tokens of 4 x 4 pixels make of 224 pixels the map that those of 2 x 2 make of the official code's 112.
    model={"augmentation": "paper", "loss": "paper", "swin": {"patch": 4}},
)

METHOD = MethodSpec(
    name="v-naw",
    title="V-NAW (Swin-T and a transformer over frames)",
    citation=(
        "JunGyu Lee, Kunyoung Lee, Haesol Park, Ig-Jae Kim and Gi Pyo Nam. V-NAW: Video-based Noise-aware Adaptive "
        "Weighting for Facial Expression Recognition. CVPR Workshops, 2025. arXiv:2503.15970."
    ),
    licence="none stated (official code has an MIT badge but no licence file; no weights are published)",
    recipe="benchmark_plugins.v_naw.recipe:recipe",
    networks={
        "model": Network(
            title="the whole network",
            keys="benchmark_plugins.v_naw.recipe:official_keys",
            signature=("temporal_model.conv1.weight", "classifier.weight"),
            head="classifier.weight",
            class_order=("neutral", "angry", "disgust", "fear", "happy", "sad", "surprise", "other"),
        ),
        "swin": Network(
            title="NLA's Swin-T image classifier, of which the encoder is taken",
            keys="benchmark_plugins.v_naw.recipe:official_keys",
            signature=("encoder.patch_embed.norm.weight", "encoder.feature.3.running_var", "head.weight"),
            head="head.weight",
            prefix="backbone.",
        ),
        "resnet": Network(
            title="NLA's ResNet image classifier, of which the encoder is taken",
            keys="benchmark_plugins.v_naw.recipe:official_keys",
            signature=("features.4.0.conv1.weight", "fc.weight"),
            head="fc.weight",
            class_order=("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"),
            prefix="backbone.",
        ),
    },
    pretrainings={
        "swin": Pretraining(
            title="NLA: a Swin-T classifier of single images, whose encoder V-NAW starts from",
            citation=_NLA,
            data="images",
            recipe="benchmark_plugins.v_naw.nla_recipe:swin",
            export="benchmark_plugins.v_naw.nla_recipe:export",
            network="swin",
            presets={
                "paper": Preset(
                    size=224,
                    sampling=Sampling(clips=1),
                    epochs=60,
                    batch_size=32,
                    mean=MEAN,
                    std=STD,
                    parameters=28_511_873,
                    gflops=8.98,
                    model={"swin": {"patch": 4}},
                ),
                # For the video network of the official code.
                "official": Preset(
                    size=112,
                    sampling=Sampling(clips=1),
                    epochs=60,
                    batch_size=32,
                    mean=MEAN,
                    std=STD,
                    parameters=28_508_417,
                    gflops=8.958,
                ),
                "small": Preset(
                    size=32,
                    sampling=Sampling(clips=1),
                    epochs=8,
                    batch_size=16,
                    mean=MEAN,
                    std=STD,
                    parameters=145_203,
                    gflops=0.007,
                    decode_size=40,
                    model={"swin": _SMALL_SWIN, "lr": 1e-3},
                ),
            },
        ),
        "resnet": Pretraining(
            title="NLA: a ResNet-50 classifier of single images, for V-NAW with a ResNet as its encoder",
            citation=_NLA,
            data="images",
            recipe="benchmark_plugins.v_naw.nla_recipe:resnet",
            export="benchmark_plugins.v_naw.nla_recipe:export",
            network="resnet",
            presets={
                "paper": Preset(
                    size=224,
                    sampling=Sampling(clips=1),
                    epochs=60,
                    batch_size=32,
                    mean=MEAN,
                    std=STD,
                    parameters=23_522_375,
                    gflops=7.712,
                ),
                "small": Preset(
                    size=32,
                    sampling=Sampling(clips=1),
                    epochs=4,
                    batch_size=16,
                    mean=MEAN,
                    std=STD,
                    parameters=11_705_415,
                    gflops=0.074,
                    decode_size=40,
                    model={"encoder": "resnet18", "lr": 1e-3},
                ),
            },
        ),
    },
    presets={
        "paper": _PAPER,
        "official": dataclasses.replace(
            _PAPER,
            size=112,
            parameters=35_079_681,
            gflops=897.382,
            model={"augmentation": "official", "loss": "official", "swin": {}},
        ),
        "small": Preset(
            size=32,
            sampling=Sampling(clips=8),
            epochs=12,
            batch_size=8,
            mean=MEAN,
            std=STD,
            parameters=174_451,
            gflops=0.058,
            decode_size=40,
            model={
                "swin": _SMALL_SWIN,
                "temporal": {"dim": 64, "depth": 1, "heads": 1, "dropout": 0.1},
                "lr": 1e-3,
                "augmentation": "none",
                "loss": "paper",
            },
        ),
    },
    version="3",
    official_evaluation=(
        "Validates on random clips, not on every frame, and keeps the epoch with the best macro F1 on them. Unlabelled "
        "frames count as class Other."
    ),
)
