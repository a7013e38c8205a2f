"""`benchmark data audit`: people on both sides of a split, and the same content there or in two datasets."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark.cli.output import SHOWN, note, print_json, print_some, print_table
from benchmark.cli.progress import counting
from benchmark.datasets.audit import Audit, Candidate, Pair, Side, audit
from benchmark.datasets.clips import read_clips
from benchmark.datasets.crossings import Crossing, Member, find_crossings, kept_together
from benchmark.datasets.inspection import present_sources
from benchmark.datasets.splits import SPLITS
from benchmark.errors import EnvironmentProblem, IntegrityError, UsageError
from benchmark.planning.data import default_root, find_root, load_data
from benchmark.planning.request import find_protocol
from benchmark.registry import registry
from benchmark.specs import Clip, DatasetLayout


def audit_data(options: argparse.Namespace) -> int:
    """`benchmark data audit NAME...`."""
    candidates = _candidates(options)
    crossings = find_crossings(Member(each.side.dataset, each.groups, each.side.parts) for each in candidates)
    if not options.json:
        _print_crossings(crossings, candidates)
    result = audit(candidates, options.threshold, options.workers, counting)
    if options.json:
        found = {"crossings": [dataclasses.asdict(each) for each in crossings], **dataclasses.asdict(result)}
        print_json({"datasets": _summary(candidates), **found})
    else:
        _print_audit(result, candidates)
    # What merely looks alike may be two clips; the same bytes prove a leak.
    proven = crossings or any(pair.exact for pair in result.leaks)
    return IntegrityError.exit_code if proven else 0


def _candidates(options: argparse.Namespace) -> list[Candidate]:
    data_root = default_root(options.data_root)
    folders: dict[str, Path | None] = {}
    for text in options.datasets:
        name, separator, folder = text.partition("=")
        if name in folders:
            raise UsageError(f"{name} is named twice")
        registry().find("datasets", name)
        folders[name] = Path(folder) if separator else data_root
    if not folders and not options.protocol:
        raise UsageError("name the datasets to audit, or a protocol: `benchmark data audit dfew --data-root DIR`")
    candidates = _of_protocol(options.protocol, options.datasets, data_root) if options.protocol else []
    done = {candidate.side.dataset for candidate in candidates}
    layouts = [registry().find("datasets", name) for name in folders if name not in done]
    _check_sources(options.source or [], layouts)
    for layout in layouts:
        candidates += _of_dataset(layout, folders[layout.name], options.source or [])
    return candidates


def _check_sources(sources: Sequence[str], layouts: Sequence[DatasetLayout]) -> None:
    known = {source for layout in layouts for source in layout.frame_sources}
    unknown = sorted(set(sources) - known)
    if unknown:
        has = f"the datasets have: {', '.join(sorted(known))}" if known else "a protocol fixes its own frame sources"
        raise UsageError(f"--source {unknown[0]}: no such frame source; {has}")


def _of_protocol(name: str, named: Sequence[str], data_root: Path | None) -> list[Candidate]:
    """The clips of a protocol's folds, in the frame sources that it fixes."""
    protocol = find_protocol(name)
    tested = protocol.test_on.dataset if protocol.test_on else protocol.dataset
    elsewhere = [text for text in named if text.startswith((f"{protocol.dataset}=", f"{tested}="))]
    if elsewhere:
        raise UsageError(f"{elsewhere[0]}: {protocol.name} looks for its datasets in --data-root; leave out this one")
    data = load_data(protocol, data_root, votes=False)
    parts: dict[tuple[str, str], dict[int, str]] = {}
    clips: dict[tuple[str, str], tuple[Clip, Path, str]] = {}
    for number, fold in sorted(data.folds.items()):
        for split in SPLITS:
            dataset, root = (tested, data.test_root) if split == "test" else (protocol.dataset, data.root)
            for clip in fold.split(split):
                parts.setdefault((dataset, clip.id), {})[number] = split
                clips[dataset, clip.id] = (clip, root, clip.frames[protocol.frame_source(split)])
    return [
        Candidate(
            Side(dataset, clip.id, clip.label, parts[dataset, clip.id], protocol.name),
            root,
            path,
            _groups(clip, kept_together(protocol)),
        )
        for (dataset, _), (clip, root, path) in clips.items()
    ]


def _of_dataset(layout: DatasetLayout, folder: Path | None, sources: Sequence[str]) -> list[Candidate]:
    """All clips of a dataset, with their official parts."""
    root = find_root(layout, folder)
    clips = read_clips(layout, root, votes=False)
    chosen = [source for source in sources if source in layout.frame_sources]
    present = present_sources(layout, clips, root)
    if not chosen and not present:
        raise EnvironmentProblem(
            f"{layout.title}: no clip has frames in {root}; see `benchmark data show {layout.name}`"
        )
    source = chosen[0] if chosen else present[0]
    note(f"{layout.name}: comparing {source} in {root}")
    return [
        Candidate(
            Side(layout.name, clip.id, clip.label, clip.parts, layout.name),
            root,
            clip.frames[source],
            _groups(clip, kept_together(None)),
        )
        for clip in clips
    ]


def _groups(clip: Clip, attributes: Sequence[str]) -> dict[str, str]:
    return {name: clip.attributes[name] for name in attributes if name in clip.attributes}


def _summary(candidates: Sequence[Candidate]) -> list[dict[str, Any]]:
    counts: dict[tuple[str, str], int] = {}
    for candidate in candidates:
        key = (candidate.side.dataset, str(candidate.root))
        counts[key] = counts.get(key, 0) + 1
    return [{"dataset": dataset, "root": root, "clips": count} for (dataset, root), count in counts.items()]


def _print_crossings(crossings: Sequence[Crossing], candidates: Sequence[Candidate]) -> None:
    """Who is in two parts of a fold; or that nobody is, as far as the clips say who is in them."""
    if crossings:
        rows = [[each.dataset, f"{each.attribute} {each.value}", each.fold, _by_part(each.clips)] for each in crossings]
        print_table(rows[:SHOWN], ["LEAK", "of", "fold", "clips"])
        if len(rows) > SHOWN:
            print(f"and {len(rows) - SHOWN:,} more (--json lists them all)")
    for attribute in dict.fromkeys(name for each in candidates for name in each.groups):
        stated = [each for each in candidates if attribute in each.groups]
        values = len({(each.side.dataset, each.groups[attribute]) for each in stated})
        crossing = len({(c.dataset, c.value) for c in crossings if c.attribute == attribute})
        unknown = f"; {len(candidates) - len(stated):,} clips do not say" if len(stated) < len(candidates) else ""
        print(f"{attribute}: {values:,}, of which {crossing:,} are in two parts of a fold{unknown}")


def _by_part(clips: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} in {part}" for part, count in clips.items())


def _print_audit(result: Audit, candidates: Sequence[Candidate]) -> None:
    groups: dict[str, list[Pair]] = {}
    for pair in result.pairs:
        group = "LEAK" if pair.leaks else "across datasets" if pair.across_datasets else "same part"
        groups.setdefault(group, []).append(pair)
    rows = [[group, *_cells(pair)] for group, pairs in groups.items() for pair in pairs[:SHOWN]]
    if rows:
        print_table(rows, ["", "content", "clip", "label", "clip", "label", "folds that divide them"])
    for group, pairs in groups.items():
        if len(pairs) > SHOWN:
            print(f"{group}: and {len(pairs) - SHOWN:,} more (--json lists them all)")
    faults = [
        f"{dataset}: clip {clip}: {text}" for dataset, by in result.unreadable.items() for clip, text in by.items()
    ]
    print_some("not compared", faults)
    if result.uniform:
        print(f"{result.uniform:,} clips are nearly of one colour: only their bytes were compared")
    exact = sum(pair.exact for pair in result.pairs)
    across = sum(pair.across_datasets for pair in result.pairs)
    named = ", ".join(f"{facts['clips']:,} clips of {facts['dataset']}" for facts in _summary(candidates))
    print(
        f"{named}; pairs with the same bytes: {exact:,}; that look alike ({result.threshold:g} bits or fewer): "
        f"{len(result.pairs) - exact:,}; leaks across the parts of a fold: {len(result.leaks):,}; "
        f"across datasets: {across:,}"
    )
    if len(result.pairs) > exact:
        note("clips that look alike may still be different ones: look at them, or ask for fewer bits with --threshold")


def _cells(pair: Pair) -> list[str]:
    content = "same bytes" if pair.exact else f"{pair.distance:.1f} bits"
    folds = [f"{fold}: {pair.first.parts[fold]}/{pair.second.parts[fold]}" for fold in pair.leaks]
    return [content, _name(pair.first), pair.first.label, _name(pair.second), pair.second.label, ", ".join(folds)]


def _name(side: Side) -> str:
    return f"{side.dataset} {side.clip}"
