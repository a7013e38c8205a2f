"""DFER-CLIP (BMVC 2023): clips are compared with descriptions of the emotions in the space of CLIP."""

from benchmark.specs import UNIT_MEAN, UNIT_STD, MethodSpec, Network, Preset, Sampling

METHOD = MethodSpec(
    name="dfer-clip",
    title="DFER-CLIP (ViT-B/32)",
    citation=(
        "Zengqun Zhao and Ioannis Patras. Prompting Visual-Language Models for Dynamic Facial Expression Recognition. "
        "British Machine Vision Conference, 2023."
    ),
    licence="MIT (official code, the descriptions, and CLIP)",
    recipe="benchmark_plugins.dfer_clip.recipe:recipe",
    networks={
        "model": Network(
            title="the whole model, or CLIP ViT-B/32",
            keys="benchmark_plugins.dfer_clip.recipe:official_keys",
            signature=("image_encoder.class_embedding", "text_encoder.text_projection", "prompt_learner.ctx"),
            head="prompt_learner.ctx",
            class_order=("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"),
        )
    },
    presets={
        "paper": Preset(
            size=224,
            sampling=Sampling(clips=16),
            epochs=50,
            batch_size=48,
            mean=UNIT_MEAN,
            std=UNIT_STD,
            parameters=153_416_448,
            gflops=141.154,
            pretraining="none (paper: CLIP ViT-B/32 on 400 million images with texts)",
        ),
        "small": Preset(
            size=32,
            sampling=Sampling(clips=8),
            epochs=15,
            batch_size=8,
            parameters=3_559_104,
            gflops=0.067,
            decode_size=40,
            model={
                "patch": 8,
                "dim": 96,
                "depth": 2,
                "heads": 4,
                "outputs": 64,
                "temporal_heads": 4,
                "text_dim": 64,
                "text_heads": 4,
                "brightness": 0.0,
                "area_range": (0.95, 1.0),
                "optimizer": {"type": "AdamW", "lr": 1e-3, "weight_decay": 1e-4},
                "image_rate": 1.0,
                "context_rate": 1.0,
            },
        ),
    },
    official_evaluation=(
        "Keeps the epoch with the best accuracy on the test list, which serves as validation list; its lists of MAFW "
        "lack one or two clips of each fold."
    ),
)
