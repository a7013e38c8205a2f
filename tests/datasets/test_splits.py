import hashlib
from dataclasses import replace

import pytest

from benchmark.datasets.splits import SPLITS, hash_ids, hold_out, make_folds
from benchmark.errors import IntegrityError
from benchmark.protocol import load_protocol, override
from benchmark.shipped import shipped
from benchmark.specs import Clip

PROTOCOL = load_protocol(shipped("protocols") / "dfew-5fold.yaml")


def clip(number: int, label: str = "happy", part: str = "train") -> Clip:
    return Clip(f"{number:05d}", label, {}, dict.fromkeys(PROTOCOL.folds, part))


def table(per_class: int = 10) -> list[Clip]:
    clips = []
    for position, label in enumerate(PROTOCOL.classes):
        clips += [clip(1000 * position + k, label, "test" if k % 5 == 0 else "train") for k in range(per_class)]
    return clips


def test_the_division_is_the_documented_one():
    """Recomputed from the sentence in the documentation: sort each class by SHA-256, take the first 20 %."""
    clips = table(25)
    fold = make_folds(clips, PROTOCOL)[1]
    for label in PROTOCOL.classes:
        train = [c.id for c in clips if c.label == label and c.parts[2] == "train"]
        ordered = sorted(train, key=lambda i: hashlib.sha256(f"dfew-5fold@1/2/{i}".encode()).hexdigest())
        assert sorted(ordered[:4]) == [c.id for c in fold.val if c.label == label]


def test_a_new_version_of_a_protocol_divides_anew():
    clips = table(25)
    fold = make_folds(clips, override(PROTOCOL, {"version": 2}))[1]
    train = [c.id for c in clips if c.label == "sad" and c.parts[2] == "train"]
    ordered = sorted(train, key=lambda i: hashlib.sha256(f"dfew-5fold@2/2/{i}".encode()).hexdigest())
    assert sorted(ordered[:4]) == [c.id for c in fold.val if c.label == "sad"]


def test_the_division_is_the_same_on_every_machine():
    assert hold_out([clip(n) for n in range(10)], "dfew-5fold@1/1", 0.2) == ["00001", "00000"]


@pytest.mark.parametrize(("clips", "expected"), [(1, 0), (2, 0), (3, 1), (7, 1), (8, 2), (12, 2), (13, 3), (100, 20)])
def test_a_fifth_rounded_half_up_is_held_out(clips, expected):
    assert len(hold_out([clip(n) for n in range(clips)], "p", 0.2)) == expected


def test_exactly_half_a_clip_is_rounded_up():
    assert len(hold_out([clip(n) for n in range(10)], "p", 0.25)) == 3


def test_splits_are_disjoint_and_complete():
    clips = table()
    for fold in make_folds(clips, PROTOCOL):
        ids = [c.id for name in ("train", "val", "test") for c in fold.split(name)]
        assert sorted(ids) == sorted(c.id for c in clips)


def test_the_order_of_the_table_does_not_matter():
    clips = table()
    assert make_folds(clips, PROTOCOL) == make_folds(clips[::-1], PROTOCOL)


def test_the_hash_identifies_the_set_of_ids():
    ids = [c.id for c in table()]
    assert hash_ids(ids) == hash_ids(ids[::-1])
    assert hash_ids(ids) != hash_ids(ids[1:])
    assert hash_ids(["b", "a"]) == hashlib.sha256(b"a\nb\n").hexdigest()


def test_a_repeated_clip_id_is_refused():
    with pytest.raises(IntegrityError, match="clip id listed twice: 00001"):
        make_folds([*table(), clip(1)], PROTOCOL)


def test_a_label_outside_the_classes_is_refused():
    with pytest.raises(IntegrityError, match=r"label outside the classes.*00099 \(contempt\)"):
        make_folds([*table(), clip(99, "contempt")], PROTOCOL)


def test_a_fold_without_a_test_part_is_refused():
    with pytest.raises(IntegrityError, match="fold 1 lists no clip in its part 'test'"):
        make_folds([clip(n) for n in range(10)], PROTOCOL)


def protocol_with(split: dict, **changes):
    changes.setdefault("selection.policy", "val" if split.get("val") else "last")
    return override(override(PROTOCOL, {"selection.policy": "last"}), {"split": split, **changes})


HELD_OUT = {"from": "train", "fraction": 0.2, "rule": "sha256-stratified"}


def test_dividing_like_another_protocol_gives_its_clips():
    like = protocol_with({"train": "train", "val": {**HELD_OUT, "like": "dfew-5fold@1"}, "test": "test"}, name="mine")
    own = protocol_with({"train": "train", "val": HELD_OUT, "test": "test"}, name="mine")
    clips = table(25)
    assert make_folds(clips, like) == make_folds(clips, PROTOCOL)
    assert make_folds(clips, own) != make_folds(clips, PROTOCOL)


def test_an_official_val_part_is_taken_as_it_is():
    clips = [*table(), *(replace(clip(9000 + k), parts=dict.fromkeys(PROTOCOL.folds, "val")) for k in range(3))]
    fold = make_folds(clips, protocol_with({"train": "train", "val": "val", "test": "test"}))[0]
    assert [c.id for c in fold.val] == ["09000", "09001", "09002"]


def test_without_val_all_train_clips_are_learned_from():
    fold = make_folds(table(), protocol_with({"train": "train", "test": "test"}))[0]
    assert fold.val == ()
    assert len(fold.train) == len([c for c in table() if c.parts[1] == "train"])


FOLDS = {"from": "all", "fraction": 0.3, "rule": "sha256-folds"}


def test_folds_by_rule_never_share_a_test_clip_and_keep_every_class():
    split = {"train": "all", "val": {**HELD_OUT, "from": "all"}, "test": FOLDS}
    folds = make_folds(table(), protocol_with(split, folds=[1, 2, 3]))
    tested = [c.id for fold in folds for c in fold.test]
    assert len(tested) == len(set(tested)) == 9 * len(PROTOCOL.classes)
    for fold in folds:
        assert {c.label for c in fold.test} == set(PROTOCOL.classes)
        assert len({c.id for name in ("train", "val", "test") for c in fold.split(name)}) == len(table())


def test_clips_of_one_person_stay_together():
    clips = [replace(c, attributes={"subject": str(int(c.id) // 2)}) for c in table(12)]
    split = {
        "train": "all",
        "val": {**HELD_OUT, "from": "all", "group": "subject"},
        "test": {**FOLDS, "group": "subject"},
    }
    for fold in make_folds(clips, protocol_with(split, folds=[1, 2, 3])):
        people = [{c.attributes["subject"] for c in fold.split(name)} for name in ("train", "val", "test")]
        assert all(people)
        assert not (people[0] & people[1] or people[0] & people[2] or people[1] & people[2])


def test_each_value_of_an_attribute_gives_its_share_of_people():
    """Twenty people, six of them women."""
    clips = [
        replace(clip(n, ("happy", "sad")[n % 2]), attributes={"subject": str(n // 6), "sex": "mf"[n // 6 < 6]})
        for n in range(120)
    ]
    split = {
        "train": "all",
        "val": {**HELD_OUT, "from": "all", "group": "subject", "stratify": "sex"},
        "test": {**FOLDS, "group": "subject", "stratify": "sex"},
    }
    for fold in make_folds(clips, protocol_with(split, folds=[1, 2, 3])):
        people = [{c.attributes["subject"]: c.attributes["sex"] for c in fold.split(name)} for name in SPLITS]
        # Three tenths of six women are 1.8: two of them, two more, and the last but one.
        expected = [4, 1, 1] if fold.number == 3 else [3, 1, 2]
        assert [list(split.values()).count("f") for split in people] == expected


def test_a_split_that_comes_out_empty_is_refused():
    with pytest.raises(IntegrityError, match="fold 1 leaves no clip for val"):
        make_folds(
            table(1), protocol_with({"train": "all", "val": {**HELD_OUT, "from": "all"}, "test": FOLDS}, folds=[1])
        )


def test_clips_with_frame_labels_need_windows():
    with pytest.raises(IntegrityError, match="has no windows, but these are labelled frame by frame: 00000"):
        make_folds([replace(clip(0), frame_labels={1: "happy"}), *table()[1:]], PROTOCOL)
