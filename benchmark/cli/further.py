"""`benchmark robustness`, `unlabelled` and `latency`: what is asked of a finished run's models; nothing is trained."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from benchmark.cli.output import note, positive, print_json, print_table
from benchmark.cli.run_options import add_precision, add_run_to_ask

if TYPE_CHECKING:
    from pydantic import BaseModel

    from benchmark.records import Record
    from benchmark.specs import MetricSpec


def add_commands(commands: Any) -> None:
    """Declare the commands of this module."""
    robustness = commands.add_parser(
        "robustness",
        help="score a finished run on spoiled clips (DFER-C)",
        description="Predicts the test clips again by the run's checkpoints after they were spoiled: JPEG, rescaling, "
        "motion blur, low light, occlusion, frozen and dropped frames, a trembling crop, in five severities each.",
    )
    robustness.add_argument("--lite", action="store_true", help="the middle severity alone: a fifth of the time")
    unlabelled = commands.add_parser(
        "unlabelled",
        help="score a finished run on clips that have votes and no label",
        description="Predicts, by each unit's model, the clips on which annotators did not agree, and which no list "
        "holds; scores are against their votes.",
    )
    latency = commands.add_parser(
        "latency",
        help="measure how long a finished run's model takes for a clip",
        description="Times predictions of one clip and of a batch, from decoded frames to probabilities, the median "
        "after a warm-up. Needs neither data nor checkpoints.",
    )
    latency.add_argument("--threads", type=positive, default=1, metavar="N", help="of a processor; default: 1")
    add_precision(latency)
    for command, function in ((robustness, score_spoiled), (unlabelled, score_unlabelled), (latency, time_prediction)):
        add_run_to_ask(command, models=command is not latency)
        command.set_defaults(function=function)


def score_spoiled(options: argparse.Namespace) -> None:
    """`benchmark robustness RUN`."""
    from benchmark.cli.progress import Terminal
    from benchmark.library.robustness import robustness

    found = robustness(
        options.run,
        data_root=options.data_root,
        weights=options.weights,
        lite=options.lite,
        device=options.device,
        watcher=Terminal(),
    )
    derived = {
        name: {"corrupted": round(one.corrupted, 6), "relative": one.relative and round(one.relative, 6)}
        for name, one in found.metrics.items()
    }
    if not _begin(options, found, f"{len(found.units)} units", derived):
        return
    for name, one in found.metrics.items():
        relative = "-" if one.relative is None else f"{one.relative:.4f}"
        scores = f"clean {one.clean:.4f}, mean corrupted {one.corrupted:.4f}, relative {relative}"
        print(f"\n{_metric(name).title}: {scores}")
        rows = [[corruption, *(f"{score:.4f}" for score in scores)] for corruption, scores in one.by_corruption.items()]
        print_table(rows, ["spoiled by", *(f"severity {severity}" for severity in found.severities)])


def score_unlabelled(options: argparse.Namespace) -> None:
    """`benchmark unlabelled RUN`."""
    from benchmark.cli.progress import Terminal
    from benchmark.library.unlabelled import unlabelled

    found = unlabelled(
        options.run,
        data_root=options.data_root,
        weights=options.weights,
        device=options.device,
        watcher=Terminal(),
    )
    if _begin(options, found, f"{len(found.units)} units, {found.clips.clips:,} clips without a label"):
        cells = [
            [
                _metric(name).title,
                f"{one.mean:.4f}" + ("" if one.low is None else f" ({one.low:.4f} to {one.high:.4f})"),
                "higher" if _metric(name).higher_is_better else "lower",
            ]
            for name, one in found.metrics.items()
        ]
        print_table(cells, ["metric", "mean over units (95 % interval)", "better"])
        print("\nRight by the votes' plurality, test clips included:")
        print_table(
            [[f"{100 * one.agreement:.0f} %", one.predictions, f"{one.right:.4f}"] for one in found.agreement],
            ["annotators agree", "predictions", "right"],
        )
    if found.without_frames:
        note(f"{found.without_frames} more clips have votes, but no frames here")


def time_prediction(options: argparse.Namespace) -> None:
    """`benchmark latency RUN`."""
    from benchmark.cli.progress import Terminal
    from benchmark.library.latency import latency

    found = latency(
        options.run, device=options.device, precision=options.precision, threads=options.threads, watcher=Terminal()
    )
    if _begin(options, found, found.where):
        print(f"one clip: {found.milliseconds:.2f} ms (quartiles {found.low:.2f} to {found.high:.2f})")
        print(f"batches of {found.batch}: {found.clips_per_second:.2f} clips per second")


def _begin(
    options: argparse.Namespace, found: BaseModel, what: str, derived: dict[str, dict[str, Any]] | None = None
) -> bool:
    """Print the whole as JSON where that is asked for; else what it is about, and True: the caller prints the rest.

    derived: what follows from the metrics and is not kept in files.
    """
    from benchmark.records import read_record, record_path

    path = record_path(options.run)
    record = read_record(path)
    if options.json:
        document = found.model_dump(mode="json")
        for name, values in (derived or {}).items():
            document["metrics"][name] |= values
        print_json({"record": str(path), "synthetic": record.marks.synthetic, **document})
        return False
    _print_heading(record, what)
    return True


def _print_heading(record: Record, what: str) -> None:
    print(f"{record.method.name} under {record.protocol.name}: {what}")
    if record.marks.synthetic:
        print("SYNTHETIC DATA: these numbers say nothing about real faces")


def _metric(name: str) -> MetricSpec:
    from benchmark.registry import registry

    return registry().find("metrics", name)
