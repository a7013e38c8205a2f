"""A row as the front matter of a Hugging Face model card, so that its result travels with its weights.

The structure is that of `model-index` in https://github.com/huggingface/hub-docs/blob/main/modelcard.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from benchmark.errors import UsageError
from benchmark.leaderboard.entry_files import entry_id, verify
from benchmark.leaderboard.markdown import escape, percent, render_table
from benchmark.leaderboard.sections import not_ranked_because
from benchmark.protocol import Protocol
from benchmark.records import Record, Summary, protocol_of, read_record, record_path
from benchmark.records.names import row_name

TASK = {"type": "video-classification", "name": "Dynamic facial expression recognition"}
TAGS = ["facial-expression-recognition", "dynamic-facial-expression-recognition", "dfer-benchmark"]


def model_card(run: Path, titles: dict[str, str], url: str | None = None) -> str:
    """The card of a finished run: front matter with its scores, and a table; its numbers are checked first.

    run: a record, or the folder that holds it. titles: metric titles by name. url: where the record is published.
    Raises UsageError for a record on synthetic data or without a finished unit, IntegrityError for one that does not
    agree with its predictions.
    """
    path = record_path(run)
    record = read_record(path)
    if record.marks.synthetic:
        raise UsageError(f"{path}: not exported: on synthetic data, its numbers say nothing about real faces")
    if record.aggregates is None:
        raise UsageError(f"{path}: has no finished unit, so there is nothing to export")
    verify(record, path.parent)
    front = yaml.safe_dump(metadata(record, titles, url), sort_keys=False, allow_unicode=True, width=10_000)
    return f"---\n{front}---\n\n{_body(record, titles, url)}"


def metadata(record: Record, titles: dict[str, str], url: str | None = None) -> dict[str, Any]:
    """The front matter as a plain value; scores are shares in 0..1, as in the record."""
    protocol = protocol_of(record)
    assert record.aggregates is not None
    result: dict[str, Any] = {
        "task": dict(TASK),
        "dataset": {
            "type": record.data.dataset,
            "name": _printable(_dataset_name(record, protocol)),
            "config": f"{protocol.name}@{protocol.version}",
            "split": "test",
            "revision": record.data.fingerprint,
        },
        "metrics": [
            {"type": name, "value": summary.mean, "name": _metric_name(titles.get(name, name), summary, record)}
            for name, summary in record.aggregates.metrics.items()
        ],
    }
    if url is not None:
        result["source"] = {"name": f"DFER benchmark, record {entry_id(record)}", "url": url}
    return {
        "pipeline_tag": TASK["type"],
        "tags": list(TAGS),
        "metrics": list(record.aggregates.metrics),
        "model-index": [{"name": _printable(row_name(record)), "results": [result]}],
    }


def _dataset_name(record: Record, protocol: Protocol) -> str:
    reasons = [] if record.eligible else not_ranked_because(record)
    return protocol.title + (f" (not ranked: {'; '.join(reasons)})" if reasons else "")


def _metric_name(title: str, summary: Summary, record: Record) -> str:
    units = len(record.units)
    reach = f"95 % interval {summary.low:.4f} to {summary.high:.4f}"
    return _printable(f"{title}, mean of {units} unit{'s' * (units != 1)}, {reach}")


def _body(record: Record, titles: dict[str, str], url: str | None) -> str:
    protocol = protocol_of(record)
    assert record.aggregates is not None
    where = f" ({url})" if url else ""
    scores = [
        [escape(titles.get(name, name)), percent(one.mean), f"{percent(one.low)} to {percent(one.high)}"]
        for name, one in record.aggregates.metrics.items()
    ]
    files = [[str(unit.seed), str(unit.fold), f"`{unit.checkpoint_sha256}`"] for unit in record.units]
    lines = [
        f"# {escape(row_name(record))}",
        f"Run under the protocol `{protocol.name}`, version {protocol.version}, of the DFER benchmark: "
        f"{escape(protocol.title)}. The record is `{entry_id(record)}`{where}; every score follows from the "
        "predictions beside it.",
        *([] if record.eligible else [f"**Not ranked:** {escape('; '.join(not_ranked_because(record)))}"]),
        render_table(["metric", "mean, %", "95 % interval"], scores),
        "The checkpoints that the scores are of, by their SHA-256:",
        render_table(["seed", "fold", "checkpoint"], files),
    ]
    return "\n\n".join(lines) + "\n"


def _printable(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
