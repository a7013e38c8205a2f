"""What a pull request changes, and what no pull request may."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmark.errors import IntegrityError, UsageError
from benchmark.leaderboard.attestations import ATTESTATIONS
from benchmark.leaderboard.comparisons import COMPARISONS, Comparisons, parse_comparisons, read_comparisons
from benchmark.leaderboard.entry_files import RECORDS
from benchmark.leaderboard.further import FURTHER
from benchmark.leaderboard.outside import SYSTEMS
from benchmark.leaderboard.references import ANNOTATORS, parse_annotators, read_annotators
from benchmark.leaderboard.rendering import RENDERED, SCHEMA

# What is published for good, and what `build` writes from it; everything else in a repository is code.
DATA = (RECORDS, ATTESTATIONS, SYSTEMS, FURTHER)
GENERATED = (*RENDERED, SCHEMA, COMPARISONS, ANNOTATORS)


@dataclass(frozen=True)
class Changes:
    """The changed files of a repository, relative to its leaderboard; those outside it are `code`.

    base: the commit that the changes are relative to.
    """

    base: str
    data: tuple[tuple[str, str], ...]
    generated: tuple[str, ...]
    code: tuple[str, ...]


def changes_since(folder: Path, base: str) -> Changes:
    """What differs between the working tree that holds the leaderboard `folder` and where it left `base`, a commit."""
    root = Path(git(folder, "rev-parse", "--show-toplevel").strip())
    # The folder itself may not be a link that leads elsewhere; the way to it may.
    board = (folder.absolute().parent.resolve() / folder.name).relative_to(root).as_posix() + "/"
    commit = git(folder, "merge-base", base, "HEAD").strip()
    listed = git(root, "diff", "--name-status", "-z", "--no-renames", "--no-ext-diff", commit, "--").split("\0")[:-1]
    new = git(root, "ls-files", "--others", "--exclude-standard", "-z").split("\0")[:-1]
    changed = sorted([*zip(listed[1::2], listed[::2], strict=True), *((path, "A") for path in new)])
    data, generated, code = [], [], []
    for path, status in changed:
        inside = path.removeprefix(board) if path.startswith(board) else None
        if inside is not None and inside.startswith(tuple(f"{name}/" for name in DATA)):
            data.append((inside, status))
        elif inside in GENERATED:
            generated.append(inside)
        else:
            code.append(path)
    return Changes(commit, tuple(data), tuple(generated), tuple(code))


def check_changes(changes: Changes, folder: Path) -> None:
    """What is published stays; code and data come in requests of their own. IntegrityError names the first file."""
    for path, status in changes.data:
        if status != "A":
            what = "removed" if status == "D" else "changed"
            raise IntegrityError(f"{folder / path}: is published and may not be {what}; a better run is another record")
    if changes.data and changes.code:
        raise IntegrityError(
            f"{changes.code[0]}: code and data may not change in one request ({folder / changes.data[0][0]} is data): "
            "a record is judged by rules that were there before it"
        )
    if not changes.code:
        _check_comparisons(changes, folder)
        _check_annotators(changes, folder)


def _check_annotators(changes: Changes, folder: Path) -> None:
    """What annotators reach on the same clips does not change; their votes may be unknown here."""
    try:
        before = parse_annotators(git(folder, "show", f"{changes.base}:./{ANNOTATORS}"), ANNOTATORS)
    except (UsageError, IntegrityError):  # there was none
        return
    after = {(one.hash, one.clips_sha256): one for one in read_annotators(folder)}
    for one in before:
        if after.get((one.hash, one.clips_sha256)) != one:
            raise IntegrityError(
                f"{folder / ANNOTATORS}: what annotators reach under {one.protocol} is published already"
            )


def _check_comparisons(changes: Changes, folder: Path) -> None:
    """Two published rows are compared once: their clips' labels, from which it follows, may be unknown here."""
    after = read_comparisons(folder)
    for before in _comparisons_at(folder, changes.base):
        for pair, comparison in before.pairs().items():
            if any(set(pair) <= set(one.entries) and one.pairs().get(pair) != comparison for one in after):
                raise IntegrityError(
                    f"{folder / COMPARISONS}: the comparison of {' and '.join(pair)} is published already"
                )


def _comparisons_at(folder: Path, commit: str) -> tuple[Comparisons, ...]:
    """The comparisons that were published there; none where they had another form, which only code can change."""
    try:
        return parse_comparisons(git(folder, "show", f"{commit}:./{COMPARISONS}"), COMPARISONS)
    except (UsageError, IntegrityError):
        return ()


def has_commit(folder: Path, commit: str) -> bool:
    """Whether the repository that holds `folder` knows a commit."""
    try:
        git(folder, "cat-file", "-e", f"{commit}^{{commit}}")
    except UsageError:
        return False
    return True


def git(folder: Path, *arguments: str) -> str:
    """What git prints; UsageError with its reason if it fails. The repository may be a stranger's: no hook is run."""
    safe = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *safe, *arguments], capture_output=True, timeout=120, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"git {arguments[0]}: {error}") from error
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().splitlines()
        raise UsageError(f"{folder}: git {arguments[0]}: {reason[0] if reason else 'failed'}")
    return done.stdout.decode(errors="surrogateescape")
