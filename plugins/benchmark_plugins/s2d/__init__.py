"""S2D (TAFFC 2024): an image model of facial expressions, prompted by landmarks, adapted to clips."""

from benchmark.specs import MethodSpec, Network, Preset, Pretraining, Sampling, Views

CITATION = (
    "Yin Chen, Jia Li, Shiguang Shan, Meng Wang and Richang Hong. From Static to Dynamic: Adapting Landmark-Aware "
    "Image Models for Facial Expression Recognition in Videos. IEEE Transactions on Affective Computing, 2024."
)
SMALL = {
    "patch": 8,
    "dim": 96,
    "depth": 2,
    "heads": 4,
    "landmark_width": 16,
    "strong": False,
    "mixing": False,
    "smoothing": 0.1,
    "area_range": (0.9, 1.0),
    "lr": 5e-4,
}

# The official frames of DFEW span the clip; elsewhere the code takes neighbouring ones.
_SDL = {"mixing": False, "smoothing": 0.0, "dropout": 0.0, "sdl": True}
_NEIGHBOURS = {"sampling": Sampling(clips=1, length=16)}

METHOD = MethodSpec(
    name="s2d",
    title="S2D (ViT-B/16)",
    citation=CITATION,
    licence="Apache-2.0 (official code)",
    recipe="benchmark_plugins.s2d.recipe:recipe",
    networks={
        "model": Network(
            title="the vision transformer with its prompters and adapters, or the image model without the latter",
            keys="benchmark_plugins.s2d.recipe:official_keys",
            signature=("patch_embed_prompt.proj.weight", "prompt_blocks.0.fovea.smooth"),
            head="head.fc_cls.weight",
            class_order=("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"),
        ),
        "landmark": Network(
            title="the frozen landmark detector, a MobileFaceNet",
            keys="benchmark_plugins.s2d.recipe:landmark_keys",
            signature=("conv2_dw.conv.weight", "conv_6_sep.conv.weight", "output_layer.linear.weight"),
            prefix="backbone.landmark.",
        ),
    },
    needs={
        "model": "the transformer starts from nothing, which the paper trains on images first",
        "landmark": "the frozen landmark detector is random",
    },
    pretrainings={
        "static": Pretraining(
            title="the image model, on single labelled images",
            citation=CITATION,
            data="images",
            recipe="benchmark_plugins.s2d.static_recipe:recipe",
            export="benchmark_plugins.s2d.static_recipe:export",
            presets={
                "paper": Preset(
                    size=224,
                    sampling=Sampling(clips=1),
                    epochs=100,
                    batch_size=256,
                    model={"warmup": 5, "mixing": True, "smoothing": 0.1},
                ),
                "small": Preset(
                    size=32, sampling=Sampling(clips=1), epochs=12, batch_size=32, decode_size=40, model=SMALL
                ),
            },
        )
    },
    presets={
        "paper": Preset(
            size=224,
            sampling=Sampling(clips=16),
            epochs=100,
            batch_size=16,
            reference_batch=8,
            views=Views(segments=2, crops=2),
            pretraining="none (paper: the image model on AffectNet, and a landmark detector)",
            parameters=96_062_819,
            gflops=626.206,
            model={"mixing": True, "smoothing": 0.1, "dropout": 0.5, "sdl": False, "sdl_update_every": 1},
            datasets={
                "mafw": _NEIGHBOURS,
                # The same clips, by other labels.
                **{name: {**_NEIGHBOURS, "model": _SDL} for name in ("ferv39k", "ferv39k-plus")},
            },
        ),
        "small": Preset(
            size=32,
            sampling=Sampling(clips=8),
            epochs=12,
            batch_size=8,
            decode_size=40,
            parameters=364_425,
            gflops=0.094,
            model={**SMALL, "adapter_heads": 4, "dropout": 0.1, "freeze": False, "sdl": False, "sdl_update_every": 1},
        ),
    },
    version="2",
    official_evaluation=(
        "Validates on the test fold, on random windows, and reports both the last epoch and the one with the best "
        "accuracy. Averages 4 views of each clip, which on DFEW's 16-frame clips are identical."
    ),
)
