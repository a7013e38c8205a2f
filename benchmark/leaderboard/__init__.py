"""The leaderboard: records that were accepted, and the pages rendered from them."""

from benchmark.leaderboard.checking import check
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.entry_files import add, entry_id, read_entries
from benchmark.leaderboard.further import publish_further
from benchmark.leaderboard.rendering import build, overview, page_of, terminal_table, write_html
from benchmark.leaderboard.review import review

__all__ = [
    "Entry",
    "add",
    "build",
    "check",
    "entry_id",
    "overview",
    "page_of",
    "publish_further",
    "read_entries",
    "review",
    "terminal_table",
    "write_html",
]
