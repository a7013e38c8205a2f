"""What an epoch shows a model: the same bytes and targets whoever reads it, however often it was interrupted."""

import dataclasses
import hashlib
import multiprocessing
from collections import Counter

import numpy as np
import pytest
import torch
from mmengine.dataset import sampler
from mmengine.runner import Runner
from scipy import stats

from benchmark.planning.request import Request, Variant, check_request, parse_augmentation
from benchmark.running.steps import _prepare, job_of
from benchmark.training.adapter import import_mmaction
from benchmark.units.state import UnitState

import_mmaction()

from mmaction.registry import MODELS  # noqa: E402

from benchmark.training.data import ClipPreprocessor, EpochSampler  # noqa: E402
from benchmark.training.unit import train  # noqa: E402
from tests.small_runs import planned  # noqa: E402

CLIPS = 12
# Everything that draws for a clip, targets included, and a mixer that draws for a batch.
CLIP_WISE = ("frame-skip", "frame-erase:shape=block", "frame-erase:share=0.1", "label-smoothing")


@pytest.fixture
def job_for(synthetic_root, tmp_path):
    """Makes the job of a small unit on soft labels, with its split files written."""

    def make(*augmentations, method="tsm", workers=0, name="runs", batch_size=4, settings=()):
        request = Request(
            protocol="dfew-5fold",
            variants=(Variant(method, tuple(map(parse_augmentation, augmentations)), "soft"),),
            preset="small",
            folds=(1,),
            settings=("epochs=2", f"batch_size={batch_size}", *settings),
            limit=CLIPS,
        )
        check_request(request)
        group, machine = planned(request, synthetic_root, tmp_path)
        machine = dataclasses.replace(machine, runs=tmp_path / name, workers=workers)
        (unit,) = group.units
        folder = machine.runs / unit.folder
        _prepare(UnitState.model_construct(), unit, group.data.folds[1], machine, folder)
        return job_of(unit, machine, folder)

    return make


@pytest.fixture(autouse=True)
def one_thread():
    """As with every worker of a run; sums then have the same order whatever the machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def shown(loader, epoch):
    """(clip id, (pixels, target)) of everything that an epoch shows, in order."""
    loader.sampler.set_epoch(epoch)
    return [
        (
            loader.dataset._names.id_of(sample.metainfo["clip_id"]),
            (hashlib.sha256(frames.numpy().tobytes()).hexdigest(), tuple(sample.target.tolist())),
        )
        for batch in loader
        for frames, sample in zip(batch["inputs"], batch["data_samples"], strict=True)
    ]


def clips_of(loader, epoch):
    """(pixels, target) of every clip of an epoch, by id."""
    return dict(shown(loader, epoch))


def loader_of(job):
    return Runner.build_dataloader(job.config().train_dataloader)


@pytest.fixture
def trained_batches(monkeypatch):
    """Trains a job, interrupted after its first epoch or not; gives a digest of every batch that the model learned."""
    original = ClipPreprocessor.preprocess
    digests = []

    def spy(self, inputs, data_samples, training=False):
        batch, samples = original(self, inputs, data_samples, training)
        if training:
            digest = hashlib.sha256(batch.numpy().tobytes())
            digest.update(torch.stack([sample.gt_label for sample in samples]).numpy().tobytes())
            digests.append(digest.hexdigest())
        return batch, samples

    monkeypatch.setattr(ClipPreprocessor, "preprocess", spy)

    def run(job, interrupted=False):
        digests.clear()
        if interrupted:
            with pytest.raises(KeyboardInterrupt):
                train(job, lambda *_: None, interrupt)
        train(job, lambda *_: None, lambda row: None)
        return list(digests)

    def interrupt(row):
        raise KeyboardInterrupt

    return run


def test_augmented_clips_are_the_same_with_any_number_of_workers(job_for):
    alone, *others = (clips_of(loader_of(job_for(*CLIP_WISE, workers=workers)), 1) for workers in (0, 1, 4))
    assert len(alone) == CLIPS
    assert all(other == alone for other in others)


def test_augmented_clips_are_the_same_on_any_number_of_processes(job_for, monkeypatch):
    def epoch(processes):
        clips = {}
        for rank in range(processes):
            monkeypatch.setattr(sampler, "get_dist_info", lambda rank=rank: (rank, processes))
            clips |= clips_of(loader_of(job_for(*CLIP_WISE, batch_size=2)), 1)
        return clips

    assert len(epoch(1)) == CLIPS
    assert epoch(1) == epoch(2) == epoch(3)


def test_copies_of_a_clip_are_neighbours_and_augmented_anew(job_for):
    once = shown(loader_of(job_for(*CLIP_WISE)), 1)
    twice = shown(loader_of(job_for(*CLIP_WISE, settings=("copies=2",))), 1)
    assert twice[::2] == once
    assert [clip for clip, _ in twice[1::2]] == [clip for clip, _ in once]
    assert len(set(twice)) == 2 * CLIPS


def test_a_batch_holds_copies_of_so_many_clips_as_it_is_large(job_for):
    loader = loader_of(job_for(settings=("copies=3",), batch_size=4))
    assert (loader.batch_size, len(loader)) == (12, CLIPS // 4)


def test_a_split_smaller_than_a_batch_is_learned_whole_with_its_copies(job_for, trained_batches):
    epochs = 2
    assert len(trained_batches(job_for(settings=("copies=2",), batch_size=2 * CLIPS))) == epochs


@pytest.mark.parametrize("settings", [("copies=2",), ("balanced=true",), ("balanced=true", "copies=2")])
def test_what_is_drawn_again_is_the_same_with_any_number_of_workers_and_processes(job_for, monkeypatch, settings):
    def epoch(processes, workers=0):
        clips = []
        for rank in range(processes):
            monkeypatch.setattr(sampler, "get_dist_info", lambda rank=rank: (rank, processes))
            loader = loader_of(job_for(*CLIP_WISE, settings=settings, batch_size=2, workers=workers))
            clips += shown(loader, 1)
        return sorted(clips)

    alone = epoch(1)
    assert len(set(alone)) == len(alone)
    assert epoch(1, workers=2) == epoch(2) == epoch(3) == alone


def test_balanced_classes_come_equally_often():
    """A chi-squared test over classes of 1 to 40 clips; inside a class, over its clips."""
    classes = [label for label, clips in enumerate((1, 5, 14, 40)) for _ in range(clips)]

    class Clips:
        def __len__(self):
            return len(classes)

        def get_cat_ids(self, idx):
            return [classes[idx]]

    drawn = Counter()
    draws = EpochSampler(Clips(), shuffle=True, seed=3, balanced=True)
    for epoch in range(200):
        draws.set_epoch(epoch)
        drawn.update(index for _, index, _ in draws)
    by_class = Counter()
    for index, times in drawn.items():
        by_class[classes[index]] += times
    assert by_class.total() == 200 * len(classes)
    assert stats.chisquare(list(by_class.values())).pvalue > 0.001
    assert stats.chisquare([drawn[index] for index in range(20, 60)]).pvalue > 0.001


def test_augmented_clips_differ_between_epochs_but_not_their_targets(job_for):
    loader = loader_of(job_for(*CLIP_WISE))
    first, second = clips_of(loader, 0), clips_of(loader, 1)
    assert all(first[clip][0] != second[clip][0] for clip in first)
    assert all(first[clip][1] == second[clip][1] for clip in first)


@pytest.mark.parametrize(
    "mixer", ["midas", *(pytest.param(name, marks=pytest.mark.slow) for name in ("mixup", "cutmix"))]
)
def test_mixed_batches_are_the_same_with_any_number_of_workers_and_after_a_resume(job_for, trained_batches, mixer):
    alone = trained_batches(job_for("frame-skip", mixer, name="alone"))
    assert len(alone) == 2 * CLIPS // 4
    assert len(set(alone)) == len(alone)
    assert trained_batches(job_for("frame-skip", mixer, workers=4, name="workers")) == alone
    assert trained_batches(job_for("frame-skip", mixer, workers=1, name="resumed"), interrupted=True) == alone


def test_workers_end_with_the_training(job_for, trained_batches):
    assert trained_batches(job_for(workers=1))
    assert not multiprocessing.active_children()


class Listener(torch.nn.Module):
    """Stands in front of a loss and remembers its targets."""

    def __init__(self, loss):
        super().__init__()
        self.loss = loss

    def forward(self, scores, targets, *args, **kwargs):
        self.targets = targets.detach().clone()
        return self.loss(scores, targets, *args, **kwargs)


@pytest.mark.parametrize("method", ["tsm", "videomae", "former-dfer"])
@pytest.mark.parametrize("augmentations", [(), ("frame-skip", "label-smoothing:epsilon=0.3")], ids=["plain", "smooth"])
def test_the_target_that_reaches_the_loss_is_the_one_that_left_the_dataset(job_for, method, augmentations):
    config = job_for(*augmentations, method=method).config()
    loader, model = Runner.build_dataloader(config.train_dataloader), MODELS.build(config.model)
    left = {row["clip_id"]: row["target"] for row in loader.dataset.load_data_list()}
    model.cls_head.loss_cls = listener = Listener(model.cls_head.loss_cls)
    batch = next(iter(loader))
    ids = [sample.metainfo["clip_id"] for sample in batch["data_samples"]]
    model(**model.data_preprocessor(batch, training=True), mode="loss")

    expected = np.array([left[clip] for clip in ids])
    assert ((expected > 0) & (expected < 1)).any(), "nothing would be lost by truncation"
    if augmentations:
        expected = 0.7 * expected + 0.3 / 7
    assert torch.equal(listener.targets, torch.tensor(expected, dtype=torch.float32))
