"""Protocols, groupings and label maps as data; this package holds YAML only."""
