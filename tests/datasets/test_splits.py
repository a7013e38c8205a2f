import hashlib
from pathlib import Path

import pytest

import benchmark.protocols
from benchmark.datasets.splits import hash_ids, hold_out, make_folds
from benchmark.errors import IntegrityError
from benchmark.protocol import load_protocol
from benchmark.specs import Clip

PROTOCOL = load_protocol(Path(next(iter(benchmark.protocols.__path__))) / "dfew-5fold.yaml")


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
