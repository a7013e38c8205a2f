"""`benchmark show PROTOCOL --splits`: what the protocol's rule makes of the official lists."""

from __future__ import annotations

import argparse
from typing import Any

from benchmark.cli.output import note, print_json, print_table
from benchmark.datasets.counts import class_counts
from benchmark.datasets.scored import scored_ids
from benchmark.datasets.splits import SPLITS, hash_ids
from benchmark.files import write_text
from benchmark.planning.data import default_root, load_data
from benchmark.protocol import Protocol


def show_splits(protocol: Protocol, options: argparse.Namespace) -> None:
    """Sizes, class counts and hashes of every split; with --export, the id lists as files."""
    data = load_data(protocol, default_root(options.data_root), votes=False)
    folds: list[dict[str, Any]] = []
    for number, fold in sorted(data.folds.items()):
        facts: dict[str, Any] = {"fold": number}
        for name in SPLITS:
            ids = scored_ids(fold.split(name))
            per_class = class_counts(fold.split(name), protocol.classes)
            facts[name] = {"clips": len(ids), "per_class": per_class, "sha256": hash_ids(ids)}
            if options.export:
                path = options.export / f"{protocol.name}@{protocol.version}" / f"fold-{number}.{name}.txt"
                write_text(path, "".join(f"{clip_id}\n" for clip_id in ids))
        folds.append(facts)
    if options.export:
        note(f"id lists written to {options.export}")
    if options.json:
        print_json({"protocol": protocol.name, "hash": protocol.hash, "synthetic": data.synthetic, "folds": folds})
        return
    rows = [
        [fold["fold"], name, facts["clips"], *facts["per_class"].values(), facts["sha256"][:12]]
        for fold in folds
        for name, facts in fold.items()
        if name in SPLITS
    ]
    print_table(rows, ["fold", "split", "clips", *protocol.classes, "sha256"])
    if data.synthetic:
        note("synthetic data")
