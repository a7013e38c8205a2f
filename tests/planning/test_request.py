import dataclasses
from pathlib import Path

import pytest

from benchmark.errors import EnvironmentProblem, UsageError
from benchmark.planning.data import check_frames, load_data
from benchmark.planning.request import Request, Variant, check_request, make_units, parse_augmentation, resolve_protocol
from benchmark.planning.settings import parse_settings
from benchmark.registry import registry
from benchmark.units.unit import Unit


@pytest.fixture
def units_for(synthetic_root):
    def make(**changes) -> list[Unit]:
        request = Request(**{"protocol": "dfew-5fold", "variants": (Variant("tsm"),), "preset": "small", **changes})
        check_request(request)
        protocol = resolve_protocol(request)
        return make_units(request, protocol, load_data(protocol, synthetic_root, votes=True))

    return make


def test_every_row_seed_and_fold_is_one_unit(units_for):
    units = units_for(variants=(Variant("tsm"), Variant("videomae")), seeds=(0, 1), folds=(2, 5))
    assert [(u.method, u.seed, u.fold) for u in units] == [
        (method, seed, fold) for method in ("tsm", "videomae") for seed in (0, 1) for fold in (2, 5)
    ]


def test_a_unit_survives_being_written_down(units_for):
    (unit,) = units_for(variants=(Variant("tsm", (parse_augmentation("midas:alpha=0.4"),), "soft"),), folds=(1,))
    copy = Unit.model_validate_json(unit.model_dump_json(by_alias=True))
    assert copy == unit
    assert copy.identity == unit.identity


def test_the_identity_holds_what_determines_the_result(units_for):
    base = units_for(folds=(1,))[0]
    others = [
        units_for(folds=(2,))[0],
        units_for(folds=(1,), seeds=(1,))[0],
        units_for(folds=(1,), preset="paper")[0],
        units_for(folds=(1,), settings=("epochs=3",))[0],
        units_for(folds=(1,), limit=5)[0],
        units_for(folds=(1,), variants=(Variant("tsm", labels="soft"),))[0],
        units_for(folds=(1,), settings=("protocol.frames.order=single",), unofficial=True)[0],
    ]
    assert units_for(folds=(1,))[0].identity == base.identity
    assert len({unit.identity for unit in [base, *others]}) == len(others) + 1
    assert len({unit.folder for unit in [base, *others]}) == len(others) + 1


def test_the_identity_follows_the_votes_only_where_they_are_used(synthetic_root, tmp_path):
    import shutil

    import openpyxl

    copy = shutil.copytree(synthetic_root, tmp_path / "DFEW", ignore=shutil.ignore_patterns("Clip"))
    book = openpyxl.load_workbook(copy / "Annotation/annotation.xlsx")
    sheet = book.worksheets[0]
    sheet.cell(2, 1).value, sheet.cell(2, 2).value = sheet.cell(2, 2).value, sheet.cell(2, 1).value
    book.save(copy / "Annotation/annotation.xlsx")
    protocol = resolve_protocol(Request("dfew-5fold", ()))
    before, after = (load_data(protocol, root, votes=True).fingerprints for root in (synthetic_root, copy))
    assert before["hard"] == after["hard"] == load_data(protocol, copy, votes=False).fingerprints["hard"]
    assert before["soft"] != after["soft"]


def test_a_unit_is_of_the_votes_only_if_it_learns_from_them(synthetic_root):
    request = Request("dfew-5fold", (Variant("tsm"), Variant("tsm", labels="soft")), preset="small", folds=(1,))
    protocol = resolve_protocol(request)
    data = load_data(protocol, synthetic_root, votes=True)
    hard, soft = make_units(request, protocol, data)
    other = dataclasses.replace(data, fingerprints={**data.fingerprints, "soft": "other votes"})
    hard_again, soft_again = make_units(request, protocol, other)
    assert hard_again.identity == hard.identity
    assert soft_again.identity != soft.identity


def test_folders_say_what_is_in_them(units_for):
    row = Variant("tsm", (parse_augmentation("midas:alpha=0.4"),), "soft")
    assert units_for(variants=(row,), folds=(3,))[0].folder == Path(
        "dfew-5fold-synthetic/tsm@small+midas,alpha=0.4/soft/seed-0/fold-3"
    )
    assert units_for(preset="paper", folds=(3,))[0].folder == Path("dfew-5fold-synthetic/tsm/hard/seed-0/fold-3")


def test_protocol_keys_are_locked(units_for):
    with pytest.raises(UsageError, match=r"protocol\.frames\.source: the protocol's keys are locked.*--unofficial"):
        units_for(settings=("protocol.frames.source=original",))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variants": (Variant("tms"),)}, "did you mean 'tsm'"),
        ({"preset": "smal"}, "no preset 'smal'"),
        ({"folds": (6,)}, r"folds \[1, 2, 3, 4, 5\], not \[6\]"),
        ({"protocol": "dfew-5fld"}, "did you mean 'dfew-5fold'"),
        ({"settings": ("epochs",)}, "--set epochs: expected key=value"),
        ({"settings": ("epochs=[1",)}, r"--set epochs=\[1: the value must be a number"),
        ({"settings": ("optim_wrapper.optimizer.lr=2026-01-01",)}, "the value must be a number"),
        ({"settings": ("optim_wrapper.optimizer.lr=.nan",)}, "the value must be a number"),
        ({"settings": ("epochs=many",)}, "--set epochs=many: .*valid integer"),
        ({"settings": ("batch_size=0",)}, "--set batch_size=0: .*greater than 0"),
        ({"settings": ("balanced=2",)}, "--set balanced=2: .*valid boolean"),
    ],
)
def test_what_does_not_exist_is_refused(units_for, changes, message):
    with pytest.raises(UsageError, match=message):
        units_for(**changes)


@pytest.mark.parametrize(
    "mixers", [("midas", "midas:alpha=0.1"), ("midas", "mixup"), ("mixup", "frame-skip", "cutmix")], ids="+".join
)
def test_two_batch_mixers_are_refused(units_for, mixers):
    row = Variant("tsm", tuple(map(parse_augmentation, mixers)))
    with pytest.raises(UsageError, match="(mid|mix).* and .* both mix the batch; only one of them can be used"):
        units_for(variants=(row,))


@pytest.mark.parametrize("augmentation", ["midas", "mixup", "cutmix", "label-smoothing"])
def test_what_makes_soft_targets_is_refused_by_a_method_for_hard_ones(units_for, monkeypatch, augmentation):
    only_hard = dataclasses.replace(registry().methods["tsm"], label_modes=("hard",))
    monkeypatch.setitem(registry().methods, "tsm", only_hard)
    with pytest.raises(UsageError, match=f"{augmentation} makes soft targets, which tsm cannot learn from"):
        units_for(variants=(Variant("tsm", (parse_augmentation("frame-skip"), parse_augmentation(augmentation))),))
    assert units_for(variants=(Variant("tsm", (parse_augmentation("frame-skip"), parse_augmentation("frame-erase"))),))


def test_clip_transforms_keep_their_order_and_the_mixer_comes_last(units_for):
    def folder(*names):
        return units_for(variants=(Variant("tsm", tuple(map(parse_augmentation, names))),), folds=(1,))[0].folder

    last = folder("frame-skip", "frame-erase:share=0.1", "midas")
    assert str(last).split("/")[1] == "tsm@small+frame-skip+frame-erase,share=0.1+midas"
    assert folder("midas", "frame-skip", "frame-erase:share=0.1") == last
    assert folder("frame-erase:share=0.1", "frame-skip", "midas") != last


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("midass", "did you mean 'midas'"),
        ("midas:beta=1", "no option 'beta'; it has: alpha"),
        ("midas:alpha=big", "alpha must be float"),
        ("midas:alpha", "--augment midas: alpha: expected key=value"),
    ],
)
def test_a_wrong_augmentation_is_refused(text, message):
    with pytest.raises(UsageError, match=message):
        parse_augmentation(text)


def test_an_option_at_its_default_is_the_same_augmentation():
    assert parse_augmentation("midas:alpha=0.8") == parse_augmentation("midas")


def test_settings_are_read_as_people_write_them():
    assert parse_settings(["a=1", "b=1e-3", "c=true", "d=0.5", "e=text"]) == {
        "a": 1,
        "b": 0.001,
        "c": True,
        "d": 0.5,
        "e": "text",
    }


def test_missing_frames_are_counted_before_anything_runs(synthetic_root, tmp_path):
    import shutil

    copy = shutil.copytree(synthetic_root, tmp_path / "DFEW")
    shutil.rmtree(copy / "Clip/clip_224x224/00007")
    protocol = resolve_protocol(Request("dfew-5fold", ()))
    data = load_data(protocol, copy, votes=False)
    with pytest.raises(EnvironmentProblem, match="1 of 60 clips have no frames, the first is clip 00007"):
        check_frames(data, protocol)


def test_synthetic_data_is_known_as_such(units_for):
    assert all(unit.synthetic for unit in units_for())


@pytest.mark.parametrize("text", ["midas:alpha=-1", "mixup:alpha=0", "frame-skip:low=0.5", "frame-erase:share=1.5"])
def test_an_option_out_of_range_is_refused_when_planning(units_for, text):
    with pytest.raises(UsageError, match=text.partition(":")[0]):
        units_for(variants=(Variant("tsm", (parse_augmentation(text),)),))
