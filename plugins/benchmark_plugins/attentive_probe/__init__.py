"""Attentive probing: how much a frozen encoder knows of emotions, read off by one learned query."""

from benchmark.specs import MethodSpec, Preset, Sampling

METHOD = MethodSpec(
    name="attentive-probe",
    title="Frozen encoder + attentive probe",
    citation=(
        "Adrien Bardes, Quentin Garrido, Jean Ponce, Xinlei Chen, Michael Rabbat, Yann LeCun, Mahmoud Assran and "
        "Nicolas Ballas. Revisiting Feature Prediction for Learning Visual Representations from Video. Transactions on "
        "Machine Learning Research, 2024 (the probe)."
    ),
    licence="that of the encoder",
    recipe="benchmark_plugins.attentive_probe.recipe:recipe",
    presets={
        "paper": Preset(
            size=224,
            sampling=Sampling(clips=1, length=16, stride=4),
            epochs=20,
            batch_size=64,
            parameters=93_321_223,
            gflops=364.405,
            pretraining="none (the encoder's own is given with --init)",
        ),
        "small": Preset(
            size=32,
            sampling=Sampling(clips=8),
            epochs=15,
            batch_size=8,
            parameters=373_255,
            gflops=0.039,
            decode_size=40,
            model={"encoder_preset": "small", "area_range": (0.95, 1.0), "warmup": 2},
        ),
    },
    official_evaluation="None for facial expressions; for action recognition several views of each clip are averaged.",
)
