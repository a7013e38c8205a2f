"""CLIP's text tokens: byte-level byte-pair encoding with the merges that its authors learned (`merges.txt.xz`)."""

from __future__ import annotations

import html
import lzma
import re
from functools import cache
from itertools import pairwise
from pathlib import Path

START, END = 49406, 49407
VOCABULARY = 49408
# Tokens in a text, the first and the last included; what is left over holds zeros.
LENGTH = 77

_WORDS = re.compile(r"'(?:s|t|re|ve|m|ll|d)|[^\W\d_]+|\d|(?:[^\w\s]|_)+")
_LAST = "</w>"


def tokenise(text: str) -> list[int]:
    """The token numbers of a text, without those of start and end; case and spacing make no difference."""
    words = _WORDS.findall(" ".join(html.unescape(html.unescape(text)).split()).lower())
    return [number for word in words for number in _encode(word)]


@cache
def _encode(word: str) -> tuple[int, ...]:
    """Join the two neighbours whose merge was learned first, again and again."""
    letters, ranks, numbers = _tables()
    parts = [letters[byte] for byte in word.encode()]
    parts[-1] += _LAST
    while len(parts) > 1:
        best = min(pairwise(parts), key=lambda pair: ranks.get(pair, len(ranks)))
        if best not in ranks:
            break
        joined: list[str] = []
        for part in parts:
            if joined and (joined[-1], part) == best:
                joined[-1] += part
                # What was joined just now is no neighbour of the same merge.
                joined.append("")
            else:
                joined.append(part)
        parts = [part for part in joined if part]
    return tuple(numbers[part] for part in parts)


@cache
def _tables() -> tuple[dict[int, str], dict[tuple[str, str], int], dict[str, int]]:
    """The letter that stands for each byte, the order of merges, and the number of each token."""
    text = lzma.decompress(Path(__file__).with_name("merges.txt.xz").read_bytes()).decode()
    merges = [tuple(line.split(" ")) for line in text.splitlines()]
    # Bytes that print stand for themselves and come first; the others borrow the letters from 256 on.
    printing = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in printing]
    letters = {byte: chr(byte) for byte in printing} | {byte: chr(256 + place) for place, byte in enumerate(hidden)}
    tokens = [*letters.values(), *(letter + _LAST for letter in letters.values()), *("".join(pair) for pair in merges)]
    return (
        letters,
        {(pair[0], pair[1]): rank for rank, pair in enumerate(merges)},
        {token: number for number, token in enumerate(tokens)},
    )
