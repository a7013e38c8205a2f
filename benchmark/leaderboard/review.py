"""A pull request judged by the rules of its base: whether it may be merged, and what a reviewer should look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmark.errors import IntegrityError
from benchmark.leaderboard.attestations import ATTESTATIONS
from benchmark.leaderboard.changes import Changes, changes_since, check_changes, has_commit
from benchmark.leaderboard.checking import check
from benchmark.leaderboard.columns import marks, name_columns, started_from, summary_of
from benchmark.leaderboard.comparisons import Comparisons, read_comparisons
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.entry_files import LabelsOf, known_protocol
from benchmark.leaderboard.further import FURTHER
from benchmark.leaderboard.markdown import escape, percent
from benchmark.leaderboard.outside import SYSTEMS
from benchmark.leaderboard.rendering import metric_titles, ranks_of
from benchmark.leaderboard.rivals import rankings
from benchmark.leaderboard.sections import LACKING, Section, ranking_score, sections
from benchmark.leaderboard.ties import difference_of
from benchmark.records import RECORD, Record, protocol_of
from benchmark.registry import BUILT_IN, registry
from benchmark.scoring.predictions import read_predictions
from benchmark.specs import ReportProgress

# In points of a score: what a new row seldom gains at once, and by how much test seldom exceeds val.
JUMP = 2.0
ABOVE_VAL = 5.0
# Mean difference of two models' probabilities; different trainings of one recipe already differ by several times this.
NEARLY_EQUAL = 0.005


def review(
    folder: Path,
    base: str,
    labels_of: LabelsOf | None = None,
    workers: int = 1,
    report: ReportProgress = lambda done, total: None,
) -> str:
    """Judge what the working tree that holds `folder` changes against the commit `base`; returns the summary, markdown.

    Run by the base's own code in a workflow, with `folder` in a checkout of the request, it executes nothing of the
    request. Raises IntegrityError, in one line, for what may not be merged. A request that changes no record is not
    checked further: what its code does to the pages, its own tests must tell.
    """
    changes = changes_since(folder, base)
    check_changes(changes, folder)
    if changes.code or not (changes.data or changes.generated):
        return "No record, prediction or attestation is changed.\n"
    entries = check(folder, labels_of, workers, report).entries
    added = {path.rpartition("/")[0] for path, _ in changes.data if path.endswith(f"/{RECORD}")}
    for entry in entries:
        if str(entry.path) in added:
            _check_current(entry, folder)
    return _summary(folder, entries, changes, added)


def _check_current(entry: Entry, folder: Path) -> None:
    """A new record is made under today's protocol; only what was published earlier may be of an earlier version."""
    stated, known = entry.record.protocol, known_protocol(entry.record, folder / entry.path)
    if stated.hash != known.hash and not entry.record.marks.unofficial:
        raise IntegrityError(
            f"{folder / entry.path}: protocol {stated.name} is at version {known.version}, the new record is under "
            f"version {stated.version}"
        )


def _summary(folder: Path, entries: Sequence[Entry], changes: Changes, added: set[str]) -> str:
    comparisons = read_comparisons(folder)
    lines = [
        f"New records: {len(added)}; unchanged: {len(entries) - len(added)}. Every number follows from predictions."
    ]
    new = [path for path, _ in changes.data if path.endswith(".json")]
    attested = [path for path in new if path.startswith(f"{ATTESTATIONS}/")]
    lines += [f"Attested and signed: {', '.join(map(escape, attested))}."] if attested else []
    asked = [path for path in new if path.startswith(f"{FURTHER}/")]
    lines += (
        [f"Further results: {', '.join(map(escape, asked))}; latencies are their publisher's word."] if asked else []
    )
    systems = [path for path in new if path.startswith(f"{SYSTEMS}/")]
    lines += [f"Systems that were not trained here: {', '.join(map(escape, systems))}."] if systems else []
    for synthetic in (False, True):
        board = [entry for entry in entries if entry.record.data.synthetic == synthetic]
        for section in sections(board, metric_titles(), ranks_of(entries, comparisons)):
            ranked = {
                str(entry.path): f"rank {rank} of {len(table)}{among}"
                for table, among in ((section.ranked, ""), (section.lacking, f", {LACKING.lower()}"))
                for rank, entry in table
            }
            for entry in section.entries:
                if str(entry.path) in added:
                    place = ranked.get(str(entry.path), "not ranked")
                    differences = list(_differences(entries, comparisons, section, str(entry.path)))
                    lines += ["", *_about(folder, entry, place, section, added, differences)]
    return "\n".join([*lines, ""])


def _about(
    folder: Path, entry: Entry, place: str, section: Section, added: set[str], differences: Sequence[str]
) -> Iterator[str]:
    record, protocol = entry.record, section.protocol
    title = metric_titles()[protocol.ranking]
    summary = summary_of(record, protocol.ranking)
    yield f"### {' / '.join(column.cell(record) for column in name_columns())}"
    yield ""
    score = f"{percent(summary.mean)} [{percent(summary.low)}, {percent(summary.high)}]" if summary else "no score"
    data = "**synthetic data**" if record.data.synthetic else "real data"
    under = f"{escape(protocol.name)} version {protocol.version}, {data}"
    yield f"* `{entry.path}`: {under}, {place}: {escape(title)} {score}"
    yield f"* verified: {entry.verified}"
    yield from differences
    unusual = [*_unusual(folder, record, section, added), *_nearly_copied(folder, entry, section)]
    yield f"* unusual: {'; '.join(map(escape, unusual)) or 'nothing'}"


def _differences(
    entries: Sequence[Entry], comparisons: Sequence[Comparisons], section: Section, path: str
) -> Iterator[str]:
    """The row and its neighbours in the ranking, the upper one minus the lower one."""
    order = [str(entry.path) for entry in section.entries]
    for rivals in rankings(entries):
        stored = next((one for one in comparisons if one.entries == rivals.paths), None)
        if path not in rivals.paths or stored is None:
            continue
        for first, second in pairwise([name for name in order if name in rivals.paths]):
            if path in (first, second):
                found, paired = difference_of(rivals, stored, first, second)
                points = [f"{100 * value:+.2f}" for value in (found.value, found.low, found.high)]
                over = "over the same clips" if paired else "over independent clips"
                yield f"* `{first}` minus `{second}`: {points[0]} [{points[1]}, {points[2]}], p = {found.p:.3f}, {over}"


def _unusual(folder: Path, record: Record, section: Section, added: set[str]) -> Iterator[str]:
    """What a reviewer should ask about, as plain texts."""
    protocol = section.protocol
    before = [entry for _, entry in (*section.ranked, *section.lacking) if str(entry.path) not in added]
    score = ranking_score(record, protocol)
    if before:
        best = max(before, key=lambda entry: ranking_score(entry.record, protocol))
        gain = 100 * (score - ranking_score(best.record, protocol))
        if gain > JUMP:
            yield f"{gain:.2f} points above the best row so far, {best.record.method.title}"
    ranking = protocol.ranking
    on_val = [unit.scores.val.metrics[ranking].value for unit in record.units if unit.scores.val]
    if on_val and protocol.test_on is None and 100 * (score - float(np.mean(on_val))) > ABOVE_VAL:
        yield f"test is {100 * (score - float(np.mean(on_val))):.2f} points above val"
    yield from (mark for mark in marks(record) if mark != "synthetic")
    if record.init:
        started = [f"{name}: {started_from(record, name)}" for name in sorted(record.init)]
        yield f"starts from a file: {'; '.join(started)}"
    yield from _other_claims(record)
    yield from _unknown_code(folder, record)


def _other_claims(record: Record) -> Iterator[str]:
    """What a record says of its method's pre-training, where the benchmark's own method says something else."""
    used = record.method
    if registry().origin.get(("methods", used.name)) != BUILT_IN:
        return
    method = registry().methods[used.name]
    own = method.presets[used.preset].pretraining if used.preset in method.presets else used.pretraining
    if used.pretraining != own:
        yield f"pre-training is '{used.pretraining}', but that of the benchmark's own {used.name} '{own}'"
    if set(used.needs) != set(method.needs):
        known = ", ".join(method.needs) or "none"
        yield f"needs weights of {', '.join(used.needs) or 'none'}, the benchmark's own {used.name} of {known}"


def _unknown_code(folder: Path, record: Record) -> Iterator[str]:
    code = record.code
    if code.commit is None:
        yield f"code of no known commit (benchmark {code.version})"
    elif not has_commit(folder, code.commit):
        yield f"commit {code.commit[:12]} is not in this repository"
    names: Mapping[str, Sequence[str]] = {
        "methods": [record.method.name],
        "augmentations": [used.name for used in record.augmentations],
    }
    for kind, used in names.items():
        for name in used:
            if registry().origin.get((kind, name)) != BUILT_IN:
                yield f"{kind.removesuffix('s')} '{name}' is not part of the benchmark"


def _nearly_copied(folder: Path, entry: Entry, section: Section) -> Iterator[str]:
    """Rows whose probabilities hardly differ: a copy, with a little noise so that no digest can tell."""
    classes = protocol_of(entry.record).classes
    unit = entry.record.units[0]
    own = read_predictions(folder / entry.path / unit.predictions.test.path, classes)
    for other in section.entries:
        if other.path == entry.path:
            continue
        for rival in other.record.units:
            if rival.splits.test.sha256 == unit.splits.test.sha256:
                theirs = read_predictions(folder / other.path / rival.predictions.test.path, classes)
                difference = float(np.abs(own.probabilities - theirs.probabilities).mean())
                if difference < NEARLY_EQUAL:
                    yield f"its probabilities are those of {other.path} but for {difference:.1e} on average"
                break
