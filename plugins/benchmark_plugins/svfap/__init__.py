"""SVFAP (IEEE TAFFC 2024): a video autoencoder that halves time and gathers space in a few tokens as it goes deeper."""

from benchmark.specs import MethodSpec, Network, Preset, Pretraining, Sampling

_CITATION = (
    "Licai Sun, Zheng Lian, Kexin Wang, Yu He, Mingyu Xu, Haiyang Sun, Bin Liu and Jianhua Tao. SVFAP: Self-Supervised "
    "Video Facial Affect Perceiver. IEEE Transactions on Affective Computing, 2024."
)
_SMALL_ENCODER = {"patch": 8, "dim": 96, "depths": (1, 2, 2), "heads": 4, "bottleneck": 4}

METHOD = MethodSpec(
    name="svfap",
    title="SVFAP (TPSBT)",
    citation=_CITATION,
    licence="MIT (official code), with parts of VideoMAE's code, which is CC-BY-NC 4.0",
    recipe="benchmark_plugins.svfap.recipe:recipe",
    networks={
        "model": Network(
            title="the encoder with its classifier, or a pre-trained autoencoder",
            keys="benchmark_plugins.svfap.recipe:official_keys",
            # VideoMAE's names, which are all here, and one more.
            signature=(
                "patch_embed.proj.weight",
                "blocks.0.attn.q_bias",
                "fc_norm.weight",
                "temporal_downsamples.0.weight",
            ),
            head="head.weight",
            class_order=("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"),
        )
    },
    presets={
        "paper": Preset(
            size=160,
            sampling=Sampling(clips=1, length=16, stride=4),
            epochs=100,
            batch_size=64,
            reference_batch=256,
            parameters=77_635_351,
            gflops=87.077,
            decode_size=160,
            pretraining="none (paper: masked autoencoding of VoxCeleb2, `benchmark pretrain` here)",
        ),
        "small": Preset(
            size=32,
            sampling=Sampling(clips=8),
            epochs=15,
            batch_size=8,
            parameters=788_991,
            gflops=0.041,
            decode_size=40,
            model={
                **_SMALL_ENCODER,
                "lr": 1e-3,
                "head_scale": 1.0,
                "layer_decay": 1.0,
                "drop_path": 0.0,
                "warmup": 2,
                "area_range": (0.95, 1.0),
                "strong": False,
            },
        ),
    },
    pretrainings={
        "masked": Pretraining(
            title="masked autoencoding: rebuild the hidden nine tenths of a clip",
            citation=_CITATION,
            data="videos",
            recipe="benchmark_plugins.svfap.masked_recipe:recipe",
            export="benchmark_plugins.svfap.masked_recipe:export",
            presets={
                "paper": Preset(
                    size=160,
                    sampling=Sampling(clips=1, length=16, stride=4),
                    epochs=100,
                    batch_size=256,
                    parameters=85_517_200,
                    gflops=24.717,
                ),
                "small": Preset(
                    size=32,
                    sampling=Sampling(clips=8),
                    epochs=10,
                    batch_size=8,
                    parameters=869_528,
                    gflops=0.022,
                    decode_size=40,
                    model={
                        **_SMALL_ENCODER,
                        # The small grid has sixteen places, of which four stay visible.
                        "mask_ratio": 0.75,
                        "decoder_dim": 64,
                        "decoder_depth": 1,
                        "decoder_heads": 4,
                        "lr": 1e-3,
                        "warmup": 1,
                    },
                ),
            },
        )
    },
    official_evaluation=(
        "Reports the last epoch; its validation list is the test list. Averages two segments x two crops of each clip, "
        "though frames are square, so that both crops hold the same pixels."
    ),
)
