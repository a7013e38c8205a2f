"""Procedurally drawn stand-ins for gated datasets, written in the datasets' own file trees."""

# A tree that holds this file is synthetic, and complete: it is written last.
MARKER = "SYNTHETIC.json"
