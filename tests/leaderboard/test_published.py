"""What this repository itself publishes."""

from pathlib import Path

from benchmark.leaderboard import check

LEADERBOARD = Path(__file__).parents[2] / "leaderboard"


def test_every_published_number_follows_from_the_predictions_beside_it():
    assert check(LEADERBOARD).entries


def test_synthetic_records_are_on_no_page_of_real_ones():
    synthetic = [str(entry.path) for entry in check(LEADERBOARD).entries if entry.record.marks.synthetic]
    page = (LEADERBOARD / "README.md").read_text()
    assert not [path for path in synthetic if path in page]
