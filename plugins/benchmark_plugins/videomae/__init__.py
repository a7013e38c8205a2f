"""VideoMAE (NeurIPS 2022): a plain vision transformer over space-time tubes, pre-trained by masked reconstruction."""

import dataclasses

from benchmark.specs import MethodSpec, Network, Preset, Pretraining, Sampling, Views

_CITATION = (
    "Zhan Tong, Yibing Song, Jue Wang and Limin Wang. VideoMAE: Masked Autoencoders are Data-Efficient Learners for "
    "Self-Supervised Video Pre-Training. Advances in Neural Information Processing Systems 35, 2022, pp. 10078-10093."
)
_SMALL_ENCODER = {"patch": 8, "dim": 96, "depth": 2, "heads": 4}

# As MAE-DFER, whose code is VideoMAE's, has it: clips of FERV39k have 8 to 47 frames.
_EVERY_FRAME = {"sampling": Sampling(clips=1, length=16)}
_PAPER = Preset(
    size=224,
    sampling=Sampling(clips=1, length=16, stride=4),
    epochs=75,
    batch_size=64,
    reference_batch=256,
    views=Views(segments=5, crops=3),
    copies=2,
    parameters=86_232_583,
    gflops=360.689,
    pretraining="none (paper: masked autoencoding of the task's own videos, `benchmark pretrain` here)",
    model={"lr": 5e-4, "mixing": True, "smoothing": 0.1},
    datasets={"ferv39k": _EVERY_FRAME, "ferv39k-plus": _EVERY_FRAME},
)

METHOD = MethodSpec(
    name="videomae",
    title="VideoMAE (ViT-B/16)",
    citation=_CITATION,
    licence="CC-BY-NC 4.0 (official code and weights); Apache-2.0 (MMAction2's implementation, used here)",
    recipe="benchmark_plugins.videomae.recipe:recipe",
    networks={
        "model": Network(
            title="the encoder with its classifier, or a pre-trained autoencoder",
            keys="benchmark_plugins.videomae.recipe:official_keys",
            signature=("patch_embed.proj.weight", "blocks.0.attn.q_bias", "fc_norm.weight"),
            head="head.weight",
        )
    },
    presets={
        "paper": _PAPER,
        # The MIDAS paper trains all its models by the same settings, which are MAE-DFER's with a batch of 64.
        "midas": dataclasses.replace(
            _PAPER,
            size=160,
            epochs=100,
            copies=1,
            gflops=161.376,
            pretraining="none (paper: masked autoencoding of VoxCeleb2, `benchmark pretrain` here)",
            model={**_PAPER.model, "lr": 1e-3, "floor": 1e-3},
        ),
        "small": Preset(
            size=32,
            sampling=Sampling(clips=8),
            epochs=15,
            batch_size=8,
            views=Views(segments=5, crops=3),
            parameters=261_319,
            gflops=0.036,
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
            title="masked autoencoding: rebuild the hidden nine tenths of a clip",
            citation=_CITATION,
            data="videos",
            recipe="benchmark_plugins.videomae.masked_recipe:recipe",
            export="benchmark_plugins.videomae.masked_recipe:export",
            presets={
                "paper": Preset(
                    size=224,
                    sampling=Sampling(clips=1, length=16, stride=4),
                    epochs=1600,
                    batch_size=64,
                    reference_batch=256,
                    parameters=94_210_944,
                    gflops=67.558,
                ),
                "small": Preset(
                    size=32,
                    sampling=Sampling(clips=8),
                    epochs=10,
                    batch_size=8,
                    parameters=341_856,
                    gflops=0.018,
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
    version="3",
    official_evaluation=(
        "No facial-expression script. For action recognition it keeps the epoch with the best validation accuracy and "
        "tests 5 temporal segments x 3 crops, averaged."
    ),
)
