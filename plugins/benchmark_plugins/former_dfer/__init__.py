"""Former-DFER (ACM MM 2021): a spatial transformer inside a ResNet-18, and a temporal transformer on top of it."""

from benchmark.specs import UNIT_MEAN, UNIT_STD, MethodSpec, Network, Preset, Sampling

METHOD = MethodSpec(
    name="former-dfer",
    title="Former-DFER",
    citation=(
        "Zengqun Zhao and Qingshan Liu. Former-DFER: Dynamic Facial Expression Recognition Transformer. "
        "ACM International Conference on Multimedia, 2021, pp. 1553-1561."
    ),
    licence="MIT (official code)",
    recipe="benchmark_plugins.former_dfer.recipe:recipe",
    networks={
        "model": Network(
            title="the whole network",
            keys="benchmark_plugins.former_dfer.recipe:official_keys",
            signature=("s_former.pos_embedding", "t_former.cls_token", "fc.weight"),
            head="fc.weight",
            class_order=("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"),
        )
    },
    presets={
        "paper": Preset(
            size=112,
            sampling=Sampling(clips=8, length=2),
            epochs=100,
            batch_size=32,
            parameters=18_031_943,
            gflops=16.592,
            mean=UNIT_MEAN,
            std=UNIT_STD,
            model={"antialias": True},
            datasets={
                "afew": {
                    "epochs": 20,
                    "pretraining": "none (official code: the model trained on DFEW, fold 1)",
                    # Which is after the end: the rate stays as it is.
                    "model": {"lr": 0.001, "step": 2.0},
                }
            },
        ),
        "small": Preset(
            size=32,
            sampling=Sampling(clips=4, length=2),
            epochs=12,
            batch_size=8,
            parameters=869_911,
            gflops=0.049,
            mean=UNIT_MEAN,
            std=UNIT_STD,
            decode_size=40,
            model={"width": 16, "depth": 1, "heads": 4, "area_range": (0.9, 1.0)},
        ),
    },
    version="2",
    official_evaluation=(
        "Evaluates the test fold after every epoch and reports the best epoch; there is no validation set. "
        "Prints accuracy (WAR) only."
    ),
)
