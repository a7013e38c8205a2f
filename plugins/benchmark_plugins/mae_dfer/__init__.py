"""MAE-DFER (ACM MM 2023): local and global attention by turns, pre-trained by rebuilding hidden faces and motion."""

import dataclasses

from benchmark.specs import MethodSpec, Network, Preset, Pretraining, Sampling, Views

_CITATION = (
    "Licai Sun, Zheng Lian, Bin Liu and Jianhua Tao. MAE-DFER: Efficient Masked Autoencoder for Self-supervised "
    "Dynamic Facial Expression Recognition. ACM International Conference on Multimedia, 2023, pp. 6110-6121."
)
_SMALL_ENCODER = {"patch": 8, "region": (2, 2, 4), "dim": 96, "depth": 2, "heads": 4}

# Clips of FERV39k have 8 to 47 frames, of which a run of every 4th would see a handful.
_EVERY_FRAME = {"sampling": Sampling(clips=1, length=16)}
_PAPER = Preset(
    size=160,
    sampling=Sampling(clips=1, length=16, stride=4),
    epochs=100,
    batch_size=96,
    reference_batch=256,
    views=Views(segments=2, crops=2),
    parameters=84_878_343,
    gflops=99.305,
    pretraining="none (paper: masked autoencoding of VoxCeleb2, `benchmark pretrain` here)",
    model={"mixing": True, "smoothing": 0.1},
    datasets={
        "ferv39k": {**_EVERY_FRAME, "batch_size": 120},
        "ferv39k-plus": {**_EVERY_FRAME, "batch_size": 120},
    },
)

METHOD = MethodSpec(
    name="mae-dfer",
    title="MAE-DFER (LGI-Former)",
    citation=_CITATION,
    licence="MIT (official code), with parts of VideoMAE's code, which is CC-BY-NC 4.0",
    recipe="benchmark_plugins.mae_dfer.recipe:recipe",
    networks={
        "model": Network(
            title="the encoder with its classifier, or a pre-trained autoencoder",
            keys="benchmark_plugins.mae_dfer.recipe:official_keys",
            signature=("lg_region_tokens", "blocks.0.first_attn.q_bias", "blocks.0.third_attn_norm1.weight"),
            head="head.weight",
            class_order=("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"),
        )
    },
    presets={
        "paper": _PAPER,
        # The MIDAS paper's: these hyperparameters, but for the batch.
        "midas": dataclasses.replace(
            _PAPER, batch_size=64, datasets=dict.fromkeys(("ferv39k", "ferv39k-plus"), _EVERY_FRAME)
        ),
        "small": Preset(
            size=32,
            sampling=Sampling(clips=8),
            epochs=15,
            batch_size=8,
            views=Views(segments=2, crops=2),
            parameters=411_463,
            gflops=0.042,
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
                "mixing": False,
                "smoothing": 0.0,
            },
        ),
    },
    pretrainings={
        "masked": Pretraining(
            title="masked autoencoding: rebuild the hidden nine tenths of a clip, and how they change",
            citation=_CITATION,
            data="videos",
            recipe="benchmark_plugins.mae_dfer.masked_recipe:recipe",
            export="benchmark_plugins.mae_dfer.masked_recipe:export",
            presets={
                "paper": Preset(
                    size=160,
                    sampling=Sampling(clips=1, length=16, stride=4),
                    epochs=100,
                    batch_size=64,
                    reference_batch=256,
                    parameters=92_760_192,
                    gflops=26.921,
                ),
                "small": Preset(
                    size=32,
                    sampling=Sampling(clips=8),
                    epochs=10,
                    batch_size=8,
                    parameters=492_000,
                    gflops=0.022,
                    decode_size=40,
                    model={
                        **_SMALL_ENCODER,
                        # A window of the small grid has eight positions, of which two stay visible.
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
    version="2",
    official_evaluation=(
        "Reports the last epoch; its validation list is the test list. Averages two segments x two crops of each clip, "
        "though frames are square, so that both crops hold the same pixels."
    ),
)
