"""Trackers: what shows the curves of runs elsewhere. Each is a watcher, chosen with `--track`."""
