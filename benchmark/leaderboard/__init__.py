"""The leaderboard: records that were accepted, and the pages rendered from them."""

from benchmark.leaderboard.building import build, overview, table, write_html
from benchmark.leaderboard.checking import check
from benchmark.leaderboard.entries import add, entry_id, read_entries
from benchmark.leaderboard.entry import Entry
from benchmark.leaderboard.review import review

__all__ = ["Entry", "add", "build", "check", "entry_id", "overview", "read_entries", "review", "table", "write_html"]
