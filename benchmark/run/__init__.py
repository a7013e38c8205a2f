"""Runs: which units a command asks for, their state on disk, and doing what is still missing."""
