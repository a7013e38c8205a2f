"""`benchmark leaderboard attest` and `reproduce`: a maintainer verifies more of a record, and signs it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.cli.output import note, positive, print_table
from benchmark.errors import EnvironmentProblem, IntegrityError, UsageError

if TYPE_CHECKING:
    from benchmark.leaderboard import Entry
    from benchmark.leaderboard.attestations import Attested
    from benchmark.planning.data import Data


def add_actions(actions: Any) -> None:
    """Declare the commands of this module below `benchmark leaderboard`."""
    attest = actions.add_parser(
        "attest", help="join the labels, or compare with a training of your own; sign the result"
    )
    attest.add_argument("--run", type=Path, metavar="RUN", help="your own finished run of the same units: re-trained")
    attest.add_argument(
        "--tolerance",
        type=_share,
        default=0.02,
        metavar="T",
        help="by how much the ranking metric of --run may differ, of 1; default: 0.02",
    )
    attest.set_defaults(function=attest_entry)
    reproduce = actions.add_parser(
        "reproduce", help="make predictions again from checkpoints, of clips that the record's hash chooses"
    )
    reproduce.add_argument(
        "--weights",
        action="append",
        required=True,
        type=Path,
        metavar="FILE",
        help="a unit's selected checkpoint, or a folder with those of all units; repeatable",
    )
    reproduce.add_argument("--clips", type=positive, default=32, metavar="N", help="of each unit; default: 32")
    reproduce.add_argument(
        "--tolerance",
        type=_share,
        default=1e-3,
        metavar="T",
        help="by how much a probability may differ; default: 0.001",
    )
    reproduce.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda or cuda:N")
    reproduce.set_defaults(function=reproduce_entry)
    for action in (attest, reproduce):
        action.add_argument("record", type=Path, metavar="RECORD", help="a published record.json, or its folder")
        action.add_argument("--dir", type=Path, default=Path("leaderboard"), metavar="DIR", help="default: leaderboard")
        action.add_argument("--data-root", type=Path, metavar="DIR", help="where your datasets lie")
        action.add_argument("--key", type=Path, metavar="FILE", help="your SSH key: signs what was verified")
        action.add_argument("--by", metavar="NAME", help="your name in the list of maintainers")


def attest_entry(options: argparse.Namespace) -> None:
    """`benchmark leaderboard attest RECORD`."""
    from benchmark.finished.labels import labels_from
    from benchmark.finished.retraining import compare_training
    from benchmark.leaderboard.entry_files import verify
    from benchmark.records import read_record, record_path

    _check_signer(options)
    entry = _published(options)
    _data_of(entry, options)
    labels = labels_from(options.data_root)(entry.record)
    if labels is None:
        raise EnvironmentProblem("its labels are not here: --data-root must hold the data that it was made from")
    verify(entry.record, options.dir / entry.path, labels)
    if options.run is None:
        note(f"{entry.path}: every score was recomputed from predictions and labels")
        _sign(entry, "labels-joined", 0.0, "every score recomputed from predictions and labels", options)
        return
    path = record_path(options.run)
    own = read_record(path)
    verify(own, path.parent, labels)
    difference = compare_training(entry.record, own, options.tolerance)
    note(f"{entry.path}: trained again, the ranking metric differs by {100 * difference:+.2f} points")
    _sign(entry, "re-trained", options.tolerance, f"trained again: {100 * difference:+.2f} points", options)


def reproduce_entry(options: argparse.Namespace) -> int:
    """`benchmark leaderboard reproduce RECORD`."""
    from benchmark.cli.progress import counting
    from benchmark.leaderboard.attestations import record_hash
    from benchmark.running.reproducing import reproduce

    _check_signer(options)
    entry = _published(options)
    data = _data_of(entry, options)
    with counting("predicting") as report:
        found = reproduce(
            entry.record,
            options.dir / entry.path,
            data,
            options.weights,
            choice=record_hash(entry.record),
            clips=options.clips,
            device=options.device,
            report=report,
        )
    print_table(
        [[f"{each.seed}", f"{each.fold}", each.clips, f"{each.difference:.2e}"] for each in found],
        ["seed", "fold", "clips", "largest difference"],
    )
    largest = max(found, key=lambda each: each.difference)
    if not largest.difference <= options.tolerance:
        raise IntegrityError(
            f"{entry.path}: seed {largest.seed}, fold {largest.fold}: clip {largest.clip}: a probability differs by "
            f"{largest.difference:.2e}, more than {options.tolerance:.2e}"
        )
    missing = len(entry.record.units) - len(found)
    if missing:
        note(f"{missing} of {len(entry.record.units)} units have no checkpoint here; the level takes all of them")
        return 1
    clips = sum(each.clips for each in found)
    how = f"predicted again: {clips} clips, every unit ({len(found)}), largest difference {largest.difference:.1e}"
    note(f"{entry.path}: {how}")
    _sign(entry, "re-predicted", options.tolerance, how, options)
    return 0


def _published(options: argparse.Namespace) -> Entry:
    from benchmark.leaderboard import read_entries

    wanted = (options.record if options.record.is_dir() else options.record.parent).resolve()
    for entry in read_entries(options.dir):
        if (options.dir / entry.path).resolve() == wanted:
            return entry
    raise UsageError(f"{options.record}: is not a record of the leaderboard in {options.dir}")


def _data_of(entry: Entry, options: argparse.Namespace) -> Data:
    from benchmark.finished.labels import root_for
    from benchmark.planning.data import load_data
    from benchmark.records import protocol_of

    data = load_data(protocol_of(entry.record), root_for([entry.record], options.data_root), votes=False)
    if data.synthetic != entry.record.data.synthetic:
        kinds = ["synthetic" if each.synthetic else "real" for each in (entry.record.data, data)]
        raise IntegrityError(f"{entry.path}: says that its data are {kinds[0]}, those in {data.root} are {kinds[1]}")
    return data


def _check_signer(options: argparse.Namespace) -> None:
    if (options.key is None) != (options.by is None):
        raise UsageError("--key and --by belong together: which key signs, and under which name it is known")
    if options.key is not None and not options.key.is_file():
        raise UsageError(f"--key {options.key}: no such file")


def _sign(entry: Entry, level: Attested, tolerance: float, how: str, options: argparse.Namespace) -> None:
    from benchmark.finished.labels import labels_from
    from benchmark.leaderboard import build
    from benchmark.leaderboard.attestations import attest

    if options.key is None:
        note("nothing was signed: with --key and --by the record's level is raised")
        return
    path = attest(options.dir, entry.path, entry.record, level, tolerance, how, options.by, options.key)
    build(options.dir, labels_from(options.data_root))
    note(f"signed: {path}")


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("must be between 0 and 1")
    return value
