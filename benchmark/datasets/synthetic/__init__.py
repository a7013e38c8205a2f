"""Procedurally drawn stand-ins for gated datasets, written in the datasets' own file trees."""
