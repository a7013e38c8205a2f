"""One test for each fault of the installed stack that the adapter works round."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from sklearn.metrics import recall_score

from benchmark.protocol import load_protocol, override
from benchmark.training.adapter import import_mmaction

import_mmaction()


def test_mmaction_models_import_and_build():
    from mmaction.registry import MODELS

    for name in ("Recognizer2D", "Recognizer3D", "ResNetTSM", "VisionTransformer", "TSMHead", "MixupBlending"):
        assert MODELS.get(name) is not None


def test_without_the_adapter_mmaction_models_do_not_import():
    """Fails when the stack is mended: the stand-in can go then."""
    done = subprocess.run([sys.executable, "-c", "import mmaction.models"], capture_output=True, text=True, timeout=600)
    assert "mmaction.models.localizers.drn" in done.stderr


def test_what_takes_long_to_import_and_nobody_uses_is_left_out():
    heavy = "{'scipy.stats', 'sympy', 'torch.distributed.fsdp'}"
    line = f"import sys, benchmark.training.unit; print({heavy} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_what_is_imported_later_is_there_when_it_is_called():
    from mmaction.datasets.transforms import pose_transforms

    assert pose_transforms.mode([3, 5, 5]).mode == 5


def test_a_type_is_a_registered_name_and_never_a_path_to_import():
    """MMEngine imports what a dotted `type` names, and calls it."""
    from mmaction.registry import MODELS

    assert MODELS.get("Recognizer3D") is not None
    assert MODELS.get("mmaction.Recognizer3D") is not None
    for path in ("subprocess.getoutput", "os.system", "mmengine.model.BaseModel"):
        with pytest.raises(KeyError, match="is not in the"):
            MODELS.build({"type": path, "cmd": "true"})


def test_soft_targets_reach_the_loss_as_they_left_the_dataset():
    """ActionDataSample.set_gt_label turns the list [0.3, 0.7, 0.0] into [0, 0, 0]."""
    from mmaction.datasets.transforms import PackActionInputs
    from mmaction.structures import ActionDataSample

    from benchmark.training.data import ClipPreprocessor, TargetToTensor

    assert ActionDataSample().set_gt_label([0.3, 0.7, 0.0]).gt_label.tolist() == [0, 0, 0]

    target = [0.3, 0.7, 0.0]
    results = {"imgs": np.zeros((2, 3, 4, 4), np.uint8), "label": 1, "target": target, "clip_id": "1"}
    packed = PackActionInputs(meta_keys=("clip_id",), algorithm_keys=("target",))(TargetToTensor()(results))
    preprocessor = ClipPreprocessor(mean=[0] * 3, std=[255] * 3, format_shape="NCHW")
    batch = {"inputs": [packed["inputs"]], "data_samples": [packed["data_samples"]]}
    seen = preprocessor(batch, training=True)["data_samples"][0].gt_label
    assert seen.dtype == torch.float32
    assert seen.tolist() == pytest.approx(target)


def test_validation_keeps_the_hard_label():
    from mmaction.structures import ActionDataSample

    from benchmark.training.data import ClipPreprocessor

    sample = ActionDataSample().set_gt_label(1)
    sample.set_field(torch.tensor([0.3, 0.7]), "target")
    preprocessor = ClipPreprocessor(mean=[0] * 3, std=[255] * 3, format_shape="NCHW")
    out = preprocessor({"inputs": [torch.zeros(2, 3, 4, 4)], "data_samples": [sample]}, training=False)
    assert out["data_samples"][0].gt_label.tolist() == [1]


def test_validation_uar_uses_the_protocols_classes():
    """MMAction2's mean class accuracy counts a class that is predicted but absent; recall is undefined there."""
    from mmaction.evaluation.functional import mean_class_accuracy

    from benchmark.registry import registry
    from benchmark.training.hooks import WatchedScores

    mafw = load_protocol(registry().protocols["mafw-5fold"])
    protocol = override(mafw, {"classes": ["happy", "sad", "angry"], "groupings": []})

    true, predicted = [0, 0, 1, 1], [0, 2, 1, 1]
    rows = [{"clip_id": str(n), "label": label} for n, label in enumerate(true)]
    metric = WatchedScores(rows, protocol, [registry().metrics["uar"]])
    metric.process(None, [{"clip_id": str(n), "pred_score": torch.eye(3)[p]} for n, p in enumerate(predicted)])
    (uar,) = metric.evaluate(4).values()
    assert uar == pytest.approx(recall_score(true, predicted, labels=[0, 1], average="macro")) == 0.75
    assert mean_class_accuracy(list(np.eye(3)[predicted]), true) != pytest.approx(0.75)


DDP = """
    import sys
    from pathlib import Path

    import torch
    from mmengine.evaluator import BaseMetric
    from mmengine.model import BaseModel
    from benchmark.training.adapter import CPU_DDP_WRAPPER, UnitRunner, cpu_process_group

    class Toy(BaseModel):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(1, 1)
        def forward(self, inputs, mode="tensor"):
            out = self.layer(inputs[:, None].float())
            return {"loss": out.mean()} if mode == "loss" else list(out)

    class Count(BaseMetric):
        default_prefix = ""
        def process(self, data_batch, data_samples):
            self.results += data_samples
        def compute_metrics(self, results):
            print("seen", len(results))
            return {"seen": len(results)}

    class Numbers(torch.utils.data.Dataset):
        def __len__(self):
            return 21
        def __getitem__(self, index):
            return {"inputs": torch.tensor(index)}

    rank, folder = int(sys.argv[1]), Path(sys.argv[2])
    loader = dict(batch_size=4, sampler=dict(type="DefaultSampler", shuffle=True), dataset=Numbers(),
                  collate_fn=dict(type="default_collate"))
    with cpu_process_group(rank, 2, folder / "store"):
        runner = UnitRunner(
            model=Toy(), work_dir=str(folder / str(rank)), launcher="pytorch", train_dataloader=loader,
            train_cfg=dict(by_epoch=True, max_epochs=1), val_dataloader={**loader}, val_cfg={},
            val_evaluator=[Count()], optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1)),
            default_hooks=dict(logger=None, timer=None, checkpoint=None), experiment_name=str(rank),
            cfg=dict(model_wrapper_cfg=CPU_DDP_WRAPPER),
        )
        runner.train()
        weight = runner.model.module.layer.weight.item()
        print("weight", weight)
"""


def test_two_processes_train_together_without_an_accelerator(tmp_path):
    script = tmp_path / "ddp.py"
    script.write_text(textwrap.dedent(DDP))
    command = [sys.executable, str(script)]
    processes = []
    for rank in range(2):
        environment = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
        import os

        processes.append(
            subprocess.Popen(
                [*command, str(rank), str(tmp_path)],
                env={**os.environ, **environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    outputs = [process.communicate(timeout=600) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    weights = {line for out, _ in outputs for line in out.splitlines() if line.startswith("weight")}
    assert len(weights) == 1
    assert "seen 21" in outputs[0][0]
