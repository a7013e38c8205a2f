"""The leaderboard: records that were accepted, and the pages rendered from them."""

from benchmark.leaderboard.entries import add, build, check, entry_id, overview, read_entries, table
from benchmark.leaderboard.pages import Entry

__all__ = ["Entry", "add", "build", "check", "entry_id", "overview", "read_entries", "table"]
