"""GCA + IAL (AAAI 2023): channel attention by global convolution, and a loss on the most confusing class."""

from benchmark.specs import UNIT_MEAN, UNIT_STD, MethodSpec, Network, Preset, Sampling

METHOD = MethodSpec(
    name="gca-ial",
    title="GCA + IAL",
    citation=(
        "Hanting Li, Hongjing Niu, Zhaoqing Zhu and Feng Zhao. Intensity-Aware Loss for Dynamic Facial Expression "
        "Recognition in the Wild. AAAI Conference on Artificial Intelligence 37(1), 2023, pp. 67-75."
    ),
    licence="MIT (official code)",
    recipe="benchmark_plugins.gca_ial.recipe:recipe",
    networks={
        "model": Network(
            title="the whole network",
            keys="benchmark_plugins.gca_ial.recipe:official_keys",
            signature=("s_former.pos_embedding_pos", "s_former.layer2.0.gc.0.weight", "fc_f.weight"),
            head="fc_f.weight",
            class_order=("happy", "sad", "neutral", "angry", "surprise", "disgust", "fear"),
        )
    },
    presets={
        "paper": Preset(
            size=112,
            sampling=Sampling(clips=16),
            epochs=70,
            batch_size=40,
            mean=UNIT_MEAN,
            std=UNIT_STD,
            parameters=19_083_527,
            gflops=11.248,
            model={"antialias": True},
        ),
        "small": Preset(
            size=48,
            sampling=Sampling(clips=8),
            epochs=12,
            batch_size=8,
            mean=UNIT_MEAN,
            std=UNIT_STD,
            parameters=848_999,
            gflops=0.077,
            decode_size=56,
            model={"width": 16, "lr": 0.01, "weight_decay": 0.01},
        ),
    },
    version="2",
    official_evaluation=(
        "Evaluates the test fold after every epoch and reports the best epoch; there is no validation set. Drops clips "
        "with fewer than 16 frames from training and test. Prints accuracy (WAR) only."
    ),
)
