"""Initial weights that may have learned from test clips: marked, not ranked, and recomputed by whoever checks."""

from __future__ import annotations

import json

import pytest
from finished_run import DFEW, RunMaker, labels_of

from benchmark.errors import IntegrityError
from benchmark.protocol import load_protocol
from benchmark.records import read_record, verify_record
from benchmark.records.seen import seen_reasons
from benchmark.shipped import shipped
from benchmark.units.history import InitialWeights, Training, hash_clips

FOLD1 = load_protocol(shipped("protocols") / "dfew-fold1.yaml")
FRAMES = load_protocol(shipped("protocols") / "affwild2-expr.yaml")
SHA = "0" * 64
TESTED = {fold: list(labels_of("test", fold, DFEW)) for fold in DFEW.folds}


def fine_tuned(fold: int, protocol=DFEW, clips=()) -> Training:
    return Training(
        kind="unit",
        method="tsm",
        protocol=protocol.name,
        protocol_hash=protocol.hash,
        fold=fold,
        datasets=(protocol.dataset,),
        clips=hash_clips(clips),
    )


def weights(*history: Training, classifier: bool = True) -> dict[str, InitialWeights]:
    found = InitialWeights(
        sha256=SHA, method="tsm", network="model", filled=("model",), classifier=classifier, history=history
    )
    return {"model": found}


def reasons(*history, classifier=True, protocol=FOLD1, tested=None):
    tests = tested or {fold: TESTED[fold] for fold in protocol.folds}
    return seen_reasons({"model": SHA}, weights(*history, classifier=classifier), protocol, tests)


@pytest.fixture(scope="module")
def make_run(tmp_path_factory):
    return RunMaker(tmp_path_factory.mktemp)


def run_from(make_run, *history, protocol=FOLD1, **more):
    """A finished run that started from weights with this history; its test clips are whatever the protocol's are."""
    tested = {fold: TESTED[fold] for fold in protocol.folds}
    return make_run(
        protocol=protocol, init={"model": SHA}, initial=weights(*history), tested=tested, name="seen", **more
    )


# The rule.


def test_a_model_of_another_fold_may_have_learned_from_test_clips():
    (reason,) = reasons(fine_tuned(2), protocol=DFEW)
    assert reason == (
        "model: was trained under dfew-5fold, fold 2, and may have learned from test clips of fold 1, 3, 4, 5"
    )


def test_a_model_of_the_same_protocol_and_fold_has_not():
    assert reasons(fine_tuned(1, FOLD1)) == []


def test_under_another_protocol_the_clips_decide():
    assert reasons(fine_tuned(1)) != []
    assert reasons(fine_tuned(1, clips=["elsewhere"])) == []
    assert reasons(fine_tuned(1, clips=["elsewhere", TESTED[1][0]])) != []


def test_it_counts_whether_or_not_the_classifier_was_kept():
    assert reasons(fine_tuned(2), classifier=False) == reasons(fine_tuned(2))


def test_another_datasets_videos_are_no_test_clips():
    assert reasons(fine_tuned(1, load_protocol(shipped("protocols") / "ferv39k.yaml"))) == []


def test_other_labels_of_the_same_videos_are_no_excuse():
    anew = load_protocol(shipped("protocols") / "ferv39k-plus.yaml")
    assert reasons(fine_tuned(1, load_protocol(shipped("protocols") / "ferv39k.yaml")), protocol=anew) != []


def test_pre_training_on_the_datasets_videos_counts_unless_none_is_a_test_clip():
    masked = Training(kind="pre-training", method="videomae", stage="masked", datasets=("dfew",))
    assert reasons(masked, classifier=False) == [
        "model: was pre-trained on dfew (masked), and may have learned from test clips of fold 1"
    ]
    assert reasons(masked.model_copy(update={"clips": hash_clips(["elsewhere"])})) == []
    assert reasons(Training(kind="pre-training", method="videomae", stage="masked")) == []


def test_a_classifier_that_nobody_knows_counts_and_what_brings_none_does_not():
    assert "already learned these emotions" in reasons(Training(kind="unknown"))[0]
    assert reasons(Training(kind="unknown"), classifier=False) == []


def test_what_a_model_went_through_earlier_counts_too():
    assert reasons(fine_tuned(2), fine_tuned(1, FOLD1)) != []


def test_weights_of_which_nothing_was_written_down_count():
    assert seen_reasons({"model": SHA}, None, FOLD1, TESTED) == ["model: holds what nothing is known of"]
    assert seen_reasons(None, None, FOLD1, TESTED) == []


def test_under_a_cross_dataset_protocol_the_clips_of_the_tested_dataset_count():
    across = load_protocol(shipped("protocols") / "dfew-to-ferv39k-plus.yaml")
    assert across.test_on.dataset == "ferv39k-plus"
    assert reasons(fine_tuned(2), protocol=across, tested={1: ["a"]}) == []
    ferv39k = Training(kind="pre-training", method="tsm", stage="x", datasets=("ferv39k",))
    assert reasons(ferv39k, protocol=across, tested={1: ["a"]}) != []


def test_labelled_frames_belong_to_their_videos():
    learned = fine_tuned(1, FRAMES).model_copy(update={"protocol_hash": "", "clips": hash_clips(["12-30/left"])})
    assert reasons(learned, protocol=FRAMES, tested={1: ["12-30/left/00001"]}) != []
    assert reasons(learned, protocol=FRAMES, tested={1: ["12-30/right/00001"]}) == []


# The record.


def test_a_record_of_a_model_of_another_fold_is_marked_and_not_ranked_and_verifies(make_run):
    run = run_from(make_run, fine_tuned(2), protocol=DFEW)
    assert run.record.marks.seen and not run.record.eligible
    verify_record(run.record, run.folder)


def test_a_record_of_a_model_that_is_proven_disjoint_is_ranked_and_verifies(make_run):
    run = run_from(make_run, fine_tuned(1, clips=["elsewhere"]))
    assert run.record.eligible and not run.record.marks.seen
    verify_record(run.record, run.folder)


def test_hashed_ids_are_kept_only_where_they_prove_something(make_run):
    def kept(*history, **more):
        return run_from(make_run, *history, **more).record.initial["model"].history[0].clips != ""

    assert kept(fine_tuned(1, clips=["elsewhere"]))
    assert not kept(fine_tuned(1, FOLD1, clips=["elsewhere"]))
    assert not kept(fine_tuned(1, clips=TESTED[1]))


def forged(run, change):
    content = json.loads(run.path.read_text())
    change(content)
    run.path.write_text(json.dumps(content))
    with pytest.raises(IntegrityError) as caught:
        verify_record(read_record(run.path), run.folder)
    return str(caught.value)


def unmark(content):
    content["marks"]["seen"] = []
    content["eligible"] = True


def test_a_record_without_its_mark_is_refused(make_run):
    assert "marks.seen is [], expected" in forged(run_from(make_run, fine_tuned(2), protocol=DFEW), unmark)


def test_a_record_without_its_proof_is_refused(make_run):
    def change(content):
        content["initial"]["model"]["history"][0]["clips"] = ""

    assert "marks.seen" in forged(run_from(make_run, fine_tuned(1, clips=["elsewhere"])), change)


def test_a_proof_that_names_a_test_clip_is_refused(make_run):
    def change(content):
        content["initial"]["model"]["history"][0]["clips"] = hash_clips([TESTED[1][3]])

    assert "marks.seen" in forged(run_from(make_run, fine_tuned(1, clips=["elsewhere"])), change)


def test_a_record_that_says_nothing_of_its_initial_weights_is_refused(make_run):
    def change(content):
        unmark(content)
        content["initial"] = None

    assert "nothing is known of" in forged(run_from(make_run, fine_tuned(2), protocol=DFEW), change)


def test_a_record_that_speaks_of_other_files_is_refused(make_run):
    def change(content):
        unmark(content)
        content["initial"]["model"].update(sha256="1" * 64, history=[])

    assert "initial: the files" in forged(run_from(make_run, fine_tuned(2), protocol=DFEW), change)


def test_a_record_from_before_weights_were_written_down_can_still_be_read(make_run):
    run = make_run(protocol=FOLD1)
    content = json.loads(run.path.read_text())
    del content["initial"], content["marks"]["seen"], content["method"]["needs"]
    run.path.write_text(json.dumps(content))
    record = read_record(run.path)
    assert record.eligible and not record.lacks
    verify_record(record, run.folder)
