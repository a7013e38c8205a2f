"""Sweeps of published papers as data; this package holds YAML only, and is installed as `benchmark.sweeps`."""
