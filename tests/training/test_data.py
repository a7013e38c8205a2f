"""The random stream of a clip depends on (seed, epoch, clip) alone."""

import hashlib
import os
import pickle
import random
import resource

import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from benchmark.files import write_json
from benchmark.training.adapter import import_mmaction
from benchmark.training.randomness import clip_stream
from benchmark.training.seeds import derive_seed

import_mmaction()
from mmaction.structures import ActionDataSample  # noqa: E402

import benchmark.training.data  # noqa: E402, F401
from benchmark.training.batches import collate_clips  # noqa: E402


@pytest.fixture
def loader_of(synthetic_root, tmp_path):
    """Builds the training loader of 12 clips, with every random transform that the first methods use."""
    rows = [
        {"clip_id": f"{n:05d}", "path": f"Clip/clip_224x224/{n:05d}", "label": 0, "target": [1.0, 0.0]}
        for n in range(1, 13)
    ]
    write_json(tmp_path / "train.json", {"metainfo": {}, "data_list": rows})

    def build(workers: int, batch: int = 4, copies: int = 1):
        read = {"data_root": str(synthetic_root), "sampling": {"clips": 4}, "decode_size": 40}
        return Runner.build_dataloader(
            {
                "batch_size": batch,
                "num_workers": workers,
                "persistent_workers": workers > 0,
                # Only ends what hangs.
                "timeout": 300 if workers else 0,
                "collate_fn": {"type": "collate_clips"},
                "sampler": {"type": "EpochSampler", "shuffle": True, "seed": 7, "copies": copies},
                "dataset": {
                    "type": "ClipDataset",
                    "seed": "0/1",
                    "ann_file": str(tmp_path / "train.json"),
                    "pipeline": [
                        {"type": "ReadFrames", "random": True, "cache": str(tmp_path / "cache"), **read},
                        {"type": "RandomResizedCrop", "area_range": (0.3, 1.0)},
                        {"type": "Resize", "scale": (32, 32), "keep_ratio": False},
                        {"type": "Flip", "flip_ratio": 0.5},
                        {"type": "FormatShape", "input_format": "NCHW"},
                        {"type": "TargetToTensor"},
                        {"type": "PackActionInputs", "meta_keys": ("clip_id",), "algorithm_keys": ("target",)},
                    ],
                },
            }
        )

    return build


def epoch_digest(loader, epoch: int) -> str:
    loader.sampler.set_epoch(epoch)
    digest = hashlib.sha256()
    for batch in loader:
        for frames, sample in zip(batch["inputs"], batch["data_samples"], strict=True):
            digest.update(sample.metainfo["clip_id"].encode())
            digest.update(frames.numpy().tobytes())
    return digest.hexdigest()


@pytest.fixture(autouse=True)
def mmaction_scope():
    from mmengine.registry import init_default_scope

    init_default_scope("mmaction")


def test_an_epoch_is_the_same_with_any_number_of_workers(loader_of):
    digests = {epoch_digest(loader_of(workers), 3) for workers in (0, 1, 4)}
    assert len(digests) == 1


def test_an_epoch_is_the_same_whatever_came_before(loader_of):
    """As after a resume: epoch 2 alone equals epoch 2 after 0 and 1, also with workers that live on."""
    loader = loader_of(2)
    assert [epoch_digest(loader, epoch) for epoch in range(3)][2] == epoch_digest(loader_of(0), 2)


def test_epochs_differ(loader_of):
    loader = loader_of(0)
    assert epoch_digest(loader, 0) != epoch_digest(loader, 1)


def test_a_batch_is_laid_out_alike_whoever_reads_it(loader_of):
    """The last digits of a convolution depend on the order of its input's strides."""
    strides = [next(iter(loader_of(workers)))["inputs"].stride() for workers in (0, 1)]
    assert strides[0] == strides[1]


def test_frames_cross_process_borders_as_bytes(loader_of):
    batch = next(iter(loader_of(1)))
    assert batch["inputs"].dtype == torch.uint8 and batch["inputs"].shape == (4, 4, 3, 32, 32)


def test_a_batch_of_more_clips_than_there_may_be_open_files_is_read(loader_of):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    loader = loader_of(1, batch=96, copies=8)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 40, hard))
    try:
        batch = next(iter(loader))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert batch["inputs"].shape[0] == len(batch["data_samples"]) == 96


def test_labels_come_out_of_a_batch_as_they_went_in():
    samples = [ActionDataSample(metainfo={"clip_id": str(n)}).set_gt_label(n) for n in range(3)]
    for number, sample in enumerate(samples):
        sample.set_field(torch.full((2,), number / 2), "target")
    batch = collate_clips([{"inputs": torch.zeros(1), "data_samples": sample} for sample in samples])
    for found in (pickle.loads(pickle.dumps(batch["data_samples"])), batch["data_samples"].to(torch.device("cpu"))):
        assert [sample.metainfo for sample in found] == [{"clip_id": str(n)} for n in range(3)]
        assert [sample.gt_label.tolist() for sample in found] == [[0], [1], [2]]
        assert [sample.target.tolist() for sample in found] == [[0.0] * 2, [0.5] * 2, [1.0] * 2]


def test_a_clips_stream_leaves_the_outer_streams_alone():
    def draw():
        return random.random(), np.random.rand(), torch.rand(1).item()

    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    undisturbed = [draw(), draw()]
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    first = draw()
    with clip_stream(derive_seed("0/1", 0, "00001")):
        inside = draw()
    assert [first, draw()] == undisturbed
    with clip_stream(derive_seed("0/1", 0, "00001")):
        assert draw() == inside


def test_an_unreadable_clip_is_named_by_its_id(loader_of, tmp_path):
    from benchmark.video.frames import UnreadableClip

    loader = loader_of(0)
    loader.dataset.pipeline.transforms[0].data_root = tmp_path
    with pytest.raises(UnreadableClip, match=r"clip 000\d\d: .*no such folder"):
        next(iter(loader))
